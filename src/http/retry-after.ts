/** Seconds that `Retry-After` (RFC 9110, 10.2.3) asks for: given as seconds, or as a date. Undefined without one, and for one that is past. */
export function secondsOf(retryAfter: string | undefined): number | undefined {
	if (retryAfter === undefined) return undefined;
	if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter);
	const seconds = Math.ceil((Date.parse(retryAfter) - Date.now()) / 1_000);
	return seconds > 0 ? seconds : undefined;
}
