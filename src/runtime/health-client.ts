import * as grpc from '@grpc/grpc-js';
import type { HealthCheckResponse__Output } from './generated/grpc/health/v1/HealthCheckResponse.ts';
import { loadHealthProto } from './proto.ts';
import { toRuntimeError } from './runtime-error.ts';

export type ServingStatus = HealthCheckResponse__Output['status'];

/** Asks servers for their health by gRPC's own protocol (grpc.health.v1), in plaintext. */
export class HealthClient {
  readonly #userAgent: string;
  readonly #Health = loadHealthProto().grpc.health.v1.Health;

  constructor(options: { readonly userAgent: string }) {
    this.#userAgent = options.userAgent;
  }

  /**
   * Over a connection of its own, so that the answer also says that the server takes connections.
   *
   * @param address host and port, `[::1]:50051`.
   * @throws RuntimeError with gRPC's status.
   */
  check(address: string, service: string, timeoutMs: number, signal: AbortSignal): Promise<ServingStatus> {
    const client = new this.#Health(`dns:${address}`, grpc.credentials.createInsecure(), {
      'grpc.primary_user_agent': this.#userAgent,
      'grpc.default_authority': address,
      'grpc.enable_http_proxy': 0,
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': 64 * 1024,
    });
    return new Promise<ServingStatus>((resolve, reject) => {
      const call = client.Check({ service }, { deadline: Date.now() + timeoutMs }, (error, response) => {
        signal.removeEventListener('abort', cancel);
        if (error) reject(toRuntimeError('Check', error));
        else resolve(response?.status ?? 'UNKNOWN');
      });
      const cancel = () => call.cancel();
      signal.addEventListener('abort', cancel, { once: true });
    }).finally(() => client.close());
  }
}
