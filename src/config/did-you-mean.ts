/** Names that people know from elsewhere. */
const synonyms: ReadonlyMap<string, string> = new Map([
  ['hostnameoverride', 'nodeName'],
  ['podmanifestpath', 'staticPodPath'],
  ['rootdir', 'stateDirectory'],
  ['rootdirectory', 'stateDirectory'],
  ['podpidlimit', 'podPidsLimit'],
  ['podmaxpids', 'podPidsLimit'],
  ['logdirectory', 'podLogsDir'],
  ['loglevels', 'logLevel'],
]);

/** `, did you mean maxPods?`, or '' when no known name is near. */
export function didYouMean(name: string, known: readonly string[]): string {
  const plain = name.toLowerCase().replace(/[-_]/g, '');
  const synonym = synonyms.get(plain);
  if (synonym !== undefined && known.includes(synonym)) return `, did you mean ${synonym}?`;
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(plain.length / 4)) + 1;
  for (const candidate of known) {
    const distance = editDistance(plain, candidate.toLowerCase().replace(/[-_]/g, ''));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best === undefined ? '' : `, did you mean ${best}?`;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
