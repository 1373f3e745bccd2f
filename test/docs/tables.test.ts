import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = [
	'README.md',
	'CONTRIBUTING.md',
	'CHANGELOG.md',
	...readdirSync(join(root, 'docs'), { recursive: true })
		.map((name) => join('docs', String(name)))
		.filter((name) => name.endsWith('.md')),
];

/** Characters of Markdown: two lines of a page. What needs more gets a paragraph below the table. */
const maximumCell = 160;

/** The cells of all tables of a page, without its blocks of code. */
function cellsOf(page: string): string[] {
	const prose = readFileSync(join(root, page), 'utf8').replaceAll(/^ *```[\s\S]*?^ *```/gm, '');
	const rows = prose.split('\n').filter((line) => line.startsWith('|'));
	return rows.flatMap((row) => row.slice(1, -1).split(/(?<!\\)\|/)).map((cell) => cell.trim());
}

describe('tables', () => {
	it('exist', () => {
		expect(cellsOf('docs/reference/errors.md').length).toBeGreaterThan(400);
		expect(cellsOf('docs/decisions/README.md')).toContain('Storage is the truth, Redis can burn');
	});

	it.each(pages)('of %s have cells that fit two lines', (page) => {
		expect(cellsOf(page).filter((cell) => cell.length > maximumCell)).toEqual([]);
	});
});
