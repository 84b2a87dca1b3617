/** Durations for people, in two or three significant figures, as kubectl shows ages. */
export function durationText(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  // A clock that is a second behind is no reason to alarm.
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (days < 8) return pair(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  const years = Math.trunc(days / 365);
  return days < 365 * 8 ? pair(years, 'y', days % 365, 'd') : `${years}y`;
}

/** The time since an RFC 3339 timestamp; `<unknown>` for none. `now` in ms since the epoch. */
export function ageText(timestamp: string | undefined, now: number): string {
  return timestamp ? durationText(now - Date.parse(timestamp)) : '<unknown>';
}

function pair(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${small}${smallUnit}`;
}
