import { beginning } from '../domain/filename.ts';
import { isErrorCode, nextStepOf } from '../errors.ts';
import type { FileResult } from './process.ts';

/** Most rows of the table; for thousands of files, the totals and the failures matter. */
const maximumRows = 40;
/** Characters of the progress bar. */
const barLength = 30;

const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes for people, in powers of 1,000: `2.8 MB`. */
export function formatBytes(bytes: number): string {
	const power = bytes < 1_000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
	return `${(bytes / 1_000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** One line of progress, cut to the terminal's width. */
export function progressLine(done: number, total: number, name: string, columns: number): string {
	return cutToWidth(`${progressBar(done / total)} ${done}/${total} ${name}`, columns);
}

/** A line that fits the terminal. No character is cut in half. */
export function cutToWidth(line: string, columns: number): string {
	return beginning(line, Math.max(20, columns - 1));
}

/** @param share done, from 0 to 1 */
export function progressBar(share: number): string {
	const filled = Math.round(Math.min(1, share) * barLength);
	return '█'.repeat(filled) + '░'.repeat(barLength - filled);
}

/** The final table: each file's size before and after and its time, the totals, and every limited variant and failure with its reason. */
export function summary(results: readonly FileResult[], seconds: number): string {
	const good = results.filter((result) => !result.error);
	const failed = results.filter((result) => result.error);
	const rows = good
		.slice(0, maximumRows)
		.map((result) => [result.file.path, ...figures([result], result.milliseconds)]);
	const hidden = good.length - rows.length;
	if (hidden > 0) rows.push([`and ${hidden} more`, '', '', '', '']);
	rows.push([`${good.length} of ${results.length} pictures`, ...figures(good, seconds * 1_000)]);
	const lines = table(['file', 'variants', 'before', 'after', 'time'], rows);
	for (const { file, failures, written } of good) {
		for (const { path, limited } of written) if (limited) lines.push(`limited: ${path}: ${limited}`);
		for (const { variant, format, error } of failures) {
			const name = variantName(variant, format);
			lines.push(`failed: ${file.path}, variant ${name}: ${error.message} (${error.class}, ${error.code})`);
		}
	}
	for (const { file, error } of failed) {
		lines.push(`failed: ${file.path}: ${error?.message} (${error?.class}, ${error?.code})`);
	}
	return `${lines.join('\n')}\n`;
}

function figures(results: readonly FileResult[], milliseconds: number): string[] {
	const written = results.flatMap((result) => result.written);
	return [
		String(written.length),
		formatBytes(results.reduce((sum, { before }) => sum + before, 0)),
		formatBytes(written.reduce((sum, { bytes }) => sum + bytes, 0)),
		`${(milliseconds / 1_000).toFixed(2)} s`,
	];
}

/** What to do about the failures: a line for each code. */
export function nextSteps(failures: readonly { readonly code: string }[]): string {
	const codes = new Set(failures.map(({ code }) => code));
	return [...codes]
		.filter(isErrorCode)
		.map((code) => `next step for ${code}: ${nextStepOf(code)}\n`)
		.join('');
}

/** Names left-aligned, numbers right-aligned, and a line above the last row, which has the totals. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
	const widths = header.map((title, column) =>
		Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
	);
	const line = (row: readonly string[]) =>
		row
			.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
			.join('  ');
	const rule = widths.map((width) => '─'.repeat(width)).join('──');
	return [line(header), rule, ...rows.slice(0, -1).map(line), rule, line(rows.at(-1) ?? [])];
}

/** A variant for people: `large`, or `large.webp` for one of its formats. */
export function variantName(variant: string, format: string | undefined): string {
	return format === undefined ? variant : `${variant}.${format}`;
}
