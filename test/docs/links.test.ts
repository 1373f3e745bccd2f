import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const markdown = (folder: string, recursive: boolean) =>
	readdirSync(join(root, folder), { recursive })
		.map((name) => join(folder, String(name)))
		.filter((name) => name.endsWith('.md'));
const pages = [...markdown('.', false), ...markdown('docs', true)];

/** The text without code blocks, in which brackets mean something else. */
async function proseOf(page: string): Promise<string> {
	return (await readFile(join(root, page), 'utf8')).replaceAll(/^```[\s\S]*?^```/gm, '');
}

/** The anchors that GitHub makes of a page's headings. */
async function anchorsOf(page: string): Promise<string[]> {
	return [...(await proseOf(page)).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
		heading
			.toLowerCase()
			.replaceAll(/[^\p{L}\p{N} _-]/gu, '')
			.replaceAll(' ', '-'),
	);
}

describe('the pages', () => {
	it('exist', () => {
		expect(pages.length).toBeGreaterThan(20);
		expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/architecture.md', 'docs/reference/http.md']));
	});

	it.each(pages)('%s links to files and headings that exist', async (page) => {
		const broken: string[] = [];
		for (const [, target = ''] of (await proseOf(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
			if (/^https?:/.test(target)) continue;
			const [file = '', anchor] = target.split('#');
			const path = file === '' ? page : join(dirname(page), file);
			if (!existsSync(join(root, path))) broken.push(target);
			else if (anchor && !(await anchorsOf(path)).includes(anchor)) broken.push(target);
		}
		expect(broken).toEqual([]);
	});

	it.each(pages)('%s names source files that exist', async (page) => {
		const named = [...(await proseOf(page)).matchAll(/`(?:src\/)?([a-z]+\/[a-z/-]+\.ts)`/g)].map(
			([, file = '']) => file,
		);
		const isThere = (file: string) => existsSync(join(root, 'src', file)) || existsSync(join(root, file));
		expect(named.filter((file) => !isThere(file))).toEqual([]);
	});

	it('of decisions are numbered without gaps and all listed', async () => {
		const decisions = readdirSync(join(root, 'docs/decisions')).filter((name) => name !== 'README.md');
		expect(decisions.map((name) => Number(name.slice(0, 4)))).toEqual(decisions.map((_, index) => index + 1));
		const list = await readFile(join(root, 'docs/decisions/README.md'), 'utf8');
		for (const name of decisions) {
			const text = await readFile(join(root, 'docs/decisions', name), 'utf8');
			const [, title = ''] = /^# \d{4} (.+)$/m.exec(text) ?? [];
			expect(list).toContain(`| [${name.slice(0, 4)}](${name}) | ${title} |`);
			for (const part of ['What.', 'What it costs.', 'When to revisit.']) expect(text, name).toContain(`**${part}**`);
			expect(text, name).toContain('**Why');
		}
	});
});
