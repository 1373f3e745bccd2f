import type { KeyRecord } from '../access/key.ts';
import { rateText } from '../access/key-limits.ts';

/** API keys in words, for a terminal. */

/** One key, a line for each thing that it may. @param where it is kept */
export function describeKey(record: KeyRecord, where: string): string {
	const rows = [
		['key', `${record.id} "${record.name}"`],
		['may', record.scopes.join(', ')],
		['recipes', recipesOf(record)],
		['limits', limitsOf(record)],
		['kept in', where],
	];
	return rows.map(([title = '', text]) => `${title.padEnd(9)}${text}`).join('\n');
}

/** All keys, one a line. */
export function keyTable(records: readonly KeyRecord[]): string {
	const rows = records.map((record) => [
		record.id,
		record.name,
		record.scopes.join(', '),
		recipesOf(record),
		limitsOf(record),
		day(record.createdAt),
		record.revokedAt === undefined ? '' : day(record.revokedAt),
	]);
	const all = [['id', 'name', 'may', 'recipes', 'limits', 'made', 'revoked'], ...rows];
	const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => [...(row[column] ?? '')].length)));
	const line = (row: readonly string[]) =>
		row
			.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - [...cell].length))
			.join('  ')
			.trimEnd();
	return `${all.map(line).join('\n')}\n`;
}

function recipesOf({ recipes }: KeyRecord): string {
	return recipes ? recipes.join(', ') : 'all';
}

function limitsOf({ limits: { rate, concurrency, perDay } }: KeyRecord): string {
	const limits = [
		rate && rateText(rate),
		concurrency && `${concurrency} at once`,
		perDay && `${perDay.toLocaleString('en')} pictures a day`,
	].filter(Boolean);
	return limits.length > 0 ? limits.join(', ') : 'none';
}

function day(time: string): string {
	return time.slice(0, 10);
}
