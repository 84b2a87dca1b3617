import { join } from 'node:path';
import { Client, credentials, loadPackageDefinition, Metadata, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { ImageServiceDefinition } from '../../../src/runtime/generated/runtime/v1/ImageService.ts';
import type { RuntimeServiceDefinition } from '../../../src/runtime/generated/runtime/v1/RuntimeService.ts';
import { patience } from './wait.ts';

/** The generated definitions also have an index signature, which would make every method's type unknown. */
type Named<T> = { [K in keyof T as string extends K ? never : number extends K ? never : K]: T[K] };
type Methods = Omit<Named<RuntimeServiceDefinition>, 'GetContainerEvents'> & Named<ImageServiceDefinition>;
type Method = keyof Methods & string;
type RequestOf<M extends Method> = Parameters<Methods[M]['requestSerialize']>[0];
type ResponseOf<M extends Method> = ReturnType<Methods[M]['responseDeserialize']>;

/**
 * Calls the container runtime without any of the project's code in between: the tests' second opinion on what is in
 * the runtime, and a "foreign" CRI client that must not be disturbed.
 */
export class RawCri {
  readonly #client: Client;
  readonly #methods: ServiceDefinition;

  constructor(socketPath: string) {
    this.#client = new Client(`unix://${socketPath}`, credentials.createInsecure(), {
      // The default waits a second before the second attempt; the tests restart the runtime often.
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 200,
    });
    const definition = loadSync('cri/runtime.proto', {
      includeDirs: [join(import.meta.dirname, '../../../proto')],
      longs: String,
      enums: String,
      bytes: Buffer,
      defaults: true,
    });
    loadPackageDefinition(definition);
    this.#methods = {
      ...(definition['runtime.v1.RuntimeService'] as ServiceDefinition),
      ...(definition['runtime.v1.ImageService'] as ServiceDefinition),
    };
  }

  call<M extends Method>(name: M, request: RequestOf<M>, timeoutMs = 30_000): Promise<ResponseOf<M>> {
    const method = this.#methods[name];
    if (method === undefined) throw new Error(`proto/cri/runtime.proto has no method ${name}`);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        (bytes) => method.responseDeserialize(bytes) as ResponseOf<M>,
        request,
        new Metadata(),
        { deadline: Date.now() + timeoutMs * patience },
        (error, response) => {
          if (error) reject(error);
          else if (response === undefined) reject(new Error(`${name}: neither answer nor error`));
          else resolve(response);
        },
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}
