/** Seconds of a `Retry-After` field (RFC 9110, 10.2.3), given as seconds or as a date. Undefined when absent or past. */
export function secondsOf(retryAfter: string | undefined): number | undefined {
	if (retryAfter === undefined) return undefined;
	if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter);
	const seconds = Math.ceil((Date.parse(retryAfter) - Date.now()) / 1_000);
	return seconds > 0 ? seconds : undefined;
}
