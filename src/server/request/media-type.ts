/** How an object, list or watch event is written. */
export type Representation = 'object' | 'table' | 'metadata';

export interface AcceptedType {
  readonly representation: Representation;
  readonly pretty: boolean;
  /** What the answer says of itself. */
  readonly contentType: string;
}

interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

const maxRanges = 32;

/**
 * The first representation that the client takes and the server has, in the order of preference that the Accept header
 * gives; undefined when there is none (406). Rules as in k8s.io/apiserver's negotiation: JSON only, and by `as=` a
 * Table or PartialObjectMetadata of meta.k8s.io/v1.
 */
export function negotiate(accept: string | undefined, allowed: readonly Representation[]): AcceptedType | undefined {
  if (accept === undefined || accept.trim() === '') return plainJson;
  for (const range of parseAccept(accept)) {
    if (!['application/json', 'application/*', '*/*'].includes(range.type)) continue;
    const representation = representationOf(range.parameters);
    if (representation === undefined || !allowed.includes(representation)) continue;
    if (range.parameters.get('stream') !== undefined && range.parameters.get('stream') !== 'watch') continue;
    return {
      representation,
      pretty: range.parameters.get('pretty') === '1',
      contentType: 'application/json',
    };
  }
  return undefined;
}

const plainJson: AcceptedType = { representation: 'object', pretty: false, contentType: 'application/json' };

function representationOf(parameters: ReadonlyMap<string, string>): Representation | undefined {
  const as = parameters.get('as');
  if (as === undefined) return 'object';
  if (parameters.get('g') !== 'meta.k8s.io' || parameters.get('v') !== 'v1') return undefined;
  if (as === 'Table') return 'table';
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList' ? 'metadata' : undefined;
}

/** The ranges by falling quality, equal ones in the order in which they stand; what cannot be read is left out. */
export function parseAccept(header: string): MediaRange[] {
  return header
    .split(',', maxRanges)
    .map(parseRange)
    .filter((range) => range.type !== '' && range.quality > 0)
    .sort((left, right) => right.quality - left.quality);
}

function parseRange(text: string): MediaRange {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const parameters = new Map<string, string>();
  for (const part of rest) {
    const [key = '', value = ''] = part.split('=', 2);
    parameters.set(key.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1'));
  }
  const quality = Number(parameters.get('q') ?? '1');
  return { type: type.toLowerCase(), parameters, quality: Number.isFinite(quality) ? quality : 0 };
}

/** The media type of a Content-Type header, without parameters. */
export function baseType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}
