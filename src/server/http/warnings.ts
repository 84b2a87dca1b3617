/** Kubernetes cuts there too: headers have limits of their own. */
const maxTotalBytes = 4096;

/** Values of `Warning:` headers, one for each text (RFC 7234 §5.5), in what a header can hold. */
export function warningHeaders(texts: readonly string[]): string[] {
  const headers: string[] = [];
  let total = 0;
  for (const text of texts) {
    const quoted = replaceControls(text).replace(/["\\]/g, '\\$&');
    // Node takes a header as Latin-1: the bytes of UTF-8 pass through it unharmed.
    const header = `299 - "${Buffer.from(quoted).toString('latin1')}"`;
    total += header.length;
    if (total > maxTotalBytes) break;
    headers.push(header);
  }
  return headers;
}

function replaceControls(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
