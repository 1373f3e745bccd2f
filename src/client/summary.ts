import { formatBytes, progressBar, table } from '../files/summary.ts';

/** What became of one file or URL. */
export interface Result {
	readonly name: string;
	/** Bytes of a file; undefined for a URL. */
	readonly bytes?: number | undefined;
	readonly picture?: string | undefined;
	/** The picture's; `refused`, or `unsent` where nothing was tried or it was interrupted. */
	readonly state: string;
	/** False for a picture that was there already. */
	readonly isNew?: boolean | undefined;
	/** By an earlier run, which did not come to its end. */
	readonly isFromBefore?: boolean | undefined;
	readonly problem?: { readonly code: string; readonly detail: string } | undefined;
}

/** Is it, or will it be, a picture? */
export function isGood({ state }: Result): boolean {
	return state !== 'refused' && state !== 'unsent' && state !== 'failed';
}

/** The table at the end: each file with its picture, the totals, and every problem. */
export function uploadSummary(results: readonly Result[], seconds: number): string {
	const good = results.filter(isGood);
	const rows = results.map(({ name, picture, state, isNew, isFromBefore, bytes }) => [
		name,
		picture ?? '',
		isFromBefore ? `${state}, sent before` : isNew === false ? `${state}, was there` : state,
		bytes === undefined ? '' : formatBytes(bytes),
	]);
	const bytes = good.reduce((sum, one) => sum + (one.bytes ?? 0), 0);
	rows.push([`${good.length} of ${results.length} pictures`, `${seconds.toFixed(1)} s`, '', formatBytes(bytes)]);
	const lines = table(['file', 'picture', 'state', 'bytes'], rows);
	for (const { name, state, problem } of results) {
		if (problem) lines.push(`${state}: ${name}: ${problem.detail} (${problem.code})`);
	}
	return `${lines.join('\n')}\n`;
}

/** Where a run is. */
export interface Standing {
	readonly done: number;
	readonly total: number;
	readonly bytes: number;
	readonly totalBytes: number;
	/** Of the bytes, those that an earlier run has sent. */
	readonly bytesBefore: number;
	readonly seconds: number;
	/** What is happening: a file, or what is waited for. */
	readonly note: string;
}

/** One line that shows how far it is, cut to the terminal's width. */
export function uploadLine(standing: Standing, columns: number): string {
	const { done, total, bytes, totalBytes, bytesBefore, seconds, note } = standing;
	const bar = progressBar(totalBytes > 0 ? bytes / totalBytes : done / total);
	const speed = seconds > 1 && bytes < totalBytes ? ` ${formatBytes((bytes - bytesBefore) / seconds)}/s` : '';
	const figures = totalBytes > 0 ? ` ${formatBytes(bytes)} of ${formatBytes(totalBytes)}${speed}` : '';
	return `${bar} ${done}/${total}${figures} ${note}`.slice(0, Math.max(20, columns - 1));
}
