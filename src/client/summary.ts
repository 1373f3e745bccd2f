import { cutToWidth, formatBytes, progressBar, table, variantName } from '../files/summary.ts';

/** The result of one file or URL. */
export interface Result {
	readonly name: string;
	/** Size of a file; undefined for a URL. */
	readonly bytes?: number | undefined;
	readonly picture?: string | undefined;
	/** State of the picture; `refused`; or `unsent` if nothing was tried or the run was interrupted. */
	readonly state: string;
	/** False for a picture that already existed. */
	readonly isNew?: boolean | undefined;
	/** Sent by an earlier, interrupted run. */
	readonly isFromBefore?: boolean | undefined;
	/** `class` is that of a failed picture; a refusal has none. */
	readonly problem?:
		| { readonly class?: string | undefined; readonly code: string; readonly detail: string }
		| undefined;
	/** The variants that a ready picture lacks. */
	readonly failures?: readonly VariantProblem[] | undefined;
	/** The variants of a ready picture that are less than its recipe asks for. */
	readonly limited?: readonly LimitedVariant[] | undefined;
}

interface VariantProblem {
	readonly variant: string;
	readonly format?: string | undefined;
	readonly class: string;
	readonly code: string;
	readonly detail: string;
}

interface LimitedVariant {
	readonly variant: string;
	readonly format: string;
	readonly detail: string;
}

/** Is the result a picture that is accepted and has not failed? */
export function isGood({ state }: Result): boolean {
	return state !== 'refused' && state !== 'unsent' && state !== 'failed';
}

/** The final table: each file with its picture, the totals, every limited variant, and every problem with its class and code. */
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
	for (const { name, state, problem, failures = [], limited = [] } of results) {
		for (const { variant, format, detail } of limited)
			lines.push(`limited: ${name}, variant ${variant}.${format}: ${detail}`);
		for (const { variant, format, detail, ...kind } of failures) {
			lines.push(`failed: ${name}, variant ${variantName(variant, format)}: ${detail} (${kindOf(kind)})`);
		}
		if (problem) lines.push(`${state}: ${name}: ${problem.detail} (${kindOf(problem)})`);
	}
	return `${lines.join('\n')}\n`;
}

function kindOf({ class: kind, code }: { readonly class?: string | undefined; readonly code: string }): string {
	return kind === undefined ? code : `${kind}, ${code}`;
}

/** The current progress of a run. */
export interface Standing {
	readonly done: number;
	readonly total: number;
	readonly bytes: number;
	readonly totalBytes: number;
	/** Bytes that an earlier run sent, included in the total. */
	readonly bytesBefore: number;
	readonly seconds: number;
	/** The current activity: a file, or the reason for waiting. */
	readonly note: string;
}

/** One line of progress, cut to the terminal's width. */
export function uploadLine(standing: Standing, columns: number): string {
	const { done, total, bytes, totalBytes, bytesBefore, seconds, note } = standing;
	const bar = progressBar(totalBytes > 0 ? bytes / totalBytes : done / total);
	const speed = seconds > 1 && bytes < totalBytes ? ` ${formatBytes((bytes - bytesBefore) / seconds)}/s` : '';
	const figures = totalBytes > 0 ? ` ${formatBytes(bytes)} of ${formatBytes(totalBytes)}${speed}` : '';
	return cutToWidth(`${bar} ${done}/${total}${figures} ${note}`, columns);
}
