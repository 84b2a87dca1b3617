import { randomInt } from 'node:crypto';

/** Without vowels, so that no words come about, and without what is mistaken for each other. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** Five characters that make a name another one, as Kubernetes' names.SimpleNameGenerator. */
export function randomNameSuffix(): string {
  return Array.from({ length: 5 }, () => alphabet[randomInt(alphabet.length)]).join('');
}
