import { isIP } from 'node:net';

/**
 * The texts that names, labels, ports and the like must follow (k8s.io/apimachinery/pkg/util/validation). Each check
 * returns what is wrong in Kubernetes' words, and nothing when the text is good.
 */

export type FormatCheck = (value: string) => string[];

const dnsLabelFormat = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const dns1035LabelFormat = '[a-z]([-a-z0-9]*[a-z0-9])?';
const dnsSubdomainFormat = `${dnsLabelFormat}(\\.${dnsLabelFormat})*`;
const dnsUnderscoreLabelFormat = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const dnsUnderscoreFormat = `${dnsUnderscoreLabelFormat}(\\.${dnsUnderscoreLabelFormat})*`;
const labelKeyFormat = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const labelValueFormat = `(${labelKeyFormat})?`;
const configMapKeyFormat = '[-._a-zA-Z0-9]+';
const httpHeaderFormat = '[-A-Za-z0-9]+';

const dnsLabel = new RegExp(`^${dnsLabelFormat}$`);
const dns1035Label = new RegExp(`^${dns1035LabelFormat}$`);
const dnsSubdomain = new RegExp(`^${dnsSubdomainFormat}$`);
const dnsUnderscoreSubdomain = new RegExp(`^${dnsUnderscoreFormat}$`);
const labelKey = new RegExp(`^${labelKeyFormat}$`);
const labelValue = new RegExp(`^${labelValueFormat}$`);
const configMapKey = new RegExp(`^${configMapKeyFormat}$`);
const httpHeader = new RegExp(`^${httpHeaderFormat}$`);

const mustStartAndEnd = 'and must start and end with an alphanumeric character';

/** Lengths are bytes, as Go counts them. */
export function isLongerThan(value: string, maxBytes: number): boolean {
  if (value.length > maxBytes) return true;
  return value.length * 3 > maxBytes && Buffer.byteLength(value) > maxBytes;
}

export function maxLengthMessage(max: number): string {
  return `must be no more than ${max} characters`;
}

export function rangeMessage(low: number, high: number): string {
  return `must be between ${low} and ${high}, inclusive`;
}

function regexMessage(message: string, format: string, ...examples: string[]): string {
  const shown = examples.map((example) => `'${example}', `).join(' or ');
  return `${message} (e.g. ${shown}regex used for validation is '${format}')`;
}

/** A DNS label: a container name. */
export function checkDnsLabel(value: string): string[] {
  const problems: string[] = [];
  if (isLongerThan(value, 63)) problems.push(maxLengthMessage(63));
  if (!dnsLabel.test(value)) {
    const message = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', ${mustStartAndEnd}`;
    problems.push(
      dnsSubdomain.test(value) ? 'must not contain dots' : regexMessage(message, dnsLabelFormat, 'my-name', '123-abc'),
    );
  }
  return problems;
}

/** A DNS label that begins with a letter: the name of a Service. */
export function checkDns1035Label(value: string): string[] {
  const problems: string[] = [];
  if (isLongerThan(value, 63)) problems.push(maxLengthMessage(63));
  if (!dns1035Label.test(value)) {
    const message =
      "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
    problems.push(regexMessage(message, dns1035LabelFormat, 'my-name', 'abc-123'));
  }
  return problems;
}

/** Whatever a path can hold: a role's name, `system:discovery`. As k8s.io/apimachinery's IsValidPathSegmentName. */
export function checkPathSegment(value: string): string[] {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  return ['/', '%'].filter((mark) => value.includes(mark)).map((mark) => `may not contain '${mark}'`);
}

/** DNS labels with dots between them: a pod name. */
export function checkDnsSubdomain(value: string): string[] {
  const problems: string[] = [];
  if (isLongerThan(value, 253)) problems.push(maxLengthMessage(253));
  if (!dnsSubdomain.test(value)) {
    const message = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', ${mustStartAndEnd}`;
    problems.push(regexMessage(message, dnsSubdomainFormat, 'example.com'));
  }
  return problems;
}

/** As a DNS subdomain, where labels may begin with and contain underscores: a search domain. */
export function checkDnsSubdomainWithUnderscore(value: string): string[] {
  const problems: string[] = [];
  if (isLongerThan(value, 253)) problems.push(maxLengthMessage(253));
  if (!dnsUnderscoreSubdomain.test(value)) {
    const characters = "lower case alphanumeric characters, '_', '-' or '.'";
    const message = `a lowercase RFC 1123 subdomain must consist of ${characters}, ${mustStartAndEnd}`;
    problems.push(regexMessage(message, dnsUnderscoreFormat, 'example.com'));
  }
  return problems;
}

/** A prefix of a generated name may end in a dash, as characters follow it. */
export function asGeneratedPrefix(value: string): string {
  return value.length > 1 && value.endsWith('-') ? `${value.slice(0, -2)}a` : value;
}

/** A name with an optional DNS prefix, `example.com/name`: the key of a label. */
export function checkQualifiedName(value: string): string[] {
  const problems: string[] = [];
  const message = `must consist of alphanumeric characters, '-', '_' or '.', ${mustStartAndEnd}`;
  const explained = regexMessage(message, labelKeyFormat, 'MyName', 'my.name', '123-abc');
  const parts = value.split('/', 3);
  if (parts.length > 2) {
    return [`a valid label key ${explained} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const [prefix, name] = parts.length === 2 ? [parts[0] ?? '', parts[1] ?? ''] : [undefined, value];
  if (prefix === '') problems.push('prefix part must be non-empty');
  else if (prefix !== undefined) problems.push(...checkDnsSubdomain(prefix).map((text) => `prefix part ${text}`));
  if (name === '') problems.push('name part must be non-empty');
  else if (isLongerThan(name, 63)) problems.push('name part must be no more than 63 bytes');
  if (!labelKey.test(name)) problems.push(`name part ${explained}`);
  return problems;
}

export function checkLabelValue(value: string): string[] {
  const problems: string[] = [];
  if (isLongerThan(value, 63)) problems.push('must be no more than 63 bytes');
  if (!labelValue.test(value)) {
    const characters = "alphanumeric characters, '-', '_' or '.'";
    const message = `a valid label must be an empty string or consist of ${characters}, ${mustStartAndEnd}`;
    problems.push(regexMessage(message, labelValueFormat, 'MyValue', 'my_value', '12345'));
  }
  return problems;
}

/** The name of a port: an IANA service name. */
export function checkPortName(value: string): string[] {
  const problems: string[] = [];
  if (isLongerThan(value, 15)) problems.push(maxLengthMessage(15));
  if (!/^[-a-z0-9]+$/.test(value)) {
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(value)) problems.push('must contain at least one letter (a-z)');
  if (value.includes('--')) problems.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) problems.push('must not begin or end with a hyphen');
  return problems;
}

export function checkPortNumber(value: number): string[] {
  return value >= 1 && value <= 65535 ? [] : [rangeMessage(1, 65535)];
}

/** A user or group id. */
export function checkId(value: number): string[] {
  return value >= 0 && value <= 2 ** 31 - 1 ? [] : [rangeMessage(0, 2 ** 31 - 1)];
}

/** The name of an environment variable: any printable ASCII but `=`. */
export function checkEnvName(value: string): string[] {
  if (value === '') return ['environment variable name must be non-empty'];
  if (/^[ -<>-~]+$/.test(value)) return [];
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

/** The key of a ConfigMap or Secret, which may become a file name. */
export function checkConfigMapKey(value: string): string[] {
  const problems: string[] = [];
  if (isLongerThan(value, 253)) problems.push(maxLengthMessage(253));
  if (!configMapKey.test(value)) {
    const message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    problems.push(regexMessage(message, configMapKeyFormat, 'key.name', 'KEY_NAME', 'key-name'));
  }
  if (value === '.') problems.push("must not be '.'");
  else if (value === '..') problems.push("must not be '..'");
  else if (value.startsWith('..')) problems.push("must not start with '..'");
  return problems;
}

export function checkHttpHeaderName(value: string): string[] {
  if (httpHeader.test(value)) return [];
  const message = "a valid HTTP header must consist of alphanumeric characters or '-'";
  return [regexMessage(message, httpHeaderFormat, 'X-Header-Name')];
}

/** An IP address that all programs read alike: no leading zeros, no IPv4 within IPv6, no zone. */
export function checkIp(value: string): string[] {
  const version = value.includes('%') ? 0 : isIP(value);
  if (version === 4) return [];
  if (version === 6) return isMappedIpv4(value) ? ['must not be an IPv4-mapped IPv6 address'] : [];
  if (isIP(value.replaceAll(/(^|\.|:)0+(?=\d)/g, '$1')) === 4) return ['must not have leading 0s'];
  return ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];
}

/** True for ::ffff:a.b.c.d in any spelling. The value is a valid IPv6 address. */
function isMappedIpv4(value: string): boolean {
  const canonical = new URL(`http://[${value}]/`).hostname;
  return /^\[::ffff:[0-9a-f]+:[0-9a-f]+\]$/.test(canonical);
}
