import { readFileSync } from 'node:fs';

/** A block of code in a guide. */
interface Block {
	readonly guide: string;
	readonly language: string;
	/** Where the guide says in bold which file it is, such as `server.mjs`. */
	readonly file?: string;
	/** Ends with a line break. */
	readonly text: string;
}

/** The blocks of a guide in their order, and which of them a test has asked for. */
interface Guide {
	/** The only block that is this text, or else has it in it. */
	take(text: string): string;
	/** The block of a file. */
	file(name: string): string;
	/** All blocks in this language. */
	all(language: string): string[];
	/** First lines of the commands and programs that no test has asked for. */
	untaken(): string[];
}

const fence = /(?:\*\*`([^`\n]+)`\*\*[^\n]*:\n\n)?^( *)```(\w*)\n([\s\S]*?)^\2```$/gm;

/** Reads `docs/guides/<name>.md`. */
export function readGuide(name: string): Guide {
	const page = readFileSync(new URL(`../../docs/guides/${name}.md`, import.meta.url), 'utf8');
	const blocks = [...page.matchAll(fence)].map(
		([, file, indent = '', language = '', text = '']): Block => ({
			guide: name,
			language,
			...(file && { file }),
			text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
		}),
	);
	const taken = new Set<Block>();
	const only = (what: string, found: readonly Block[]): string => {
		const [block, other] = found;
		if (!block || other) throw new Error(`Expected one block for ${what} in ${name}.md but found ${found.length}.`);
		taken.add(block);
		return block.text;
	};
	return {
		take(text) {
			const exact = blocks.filter((block) => block.text === text);
			const found = exact.length > 0 ? exact : blocks.filter((block) => block.text.includes(text));
			return only(JSON.stringify(text), found);
		},
		file: (file) =>
			only(
				file,
				blocks.filter((block) => block.file === file),
			),
		all(language) {
			const found = blocks.filter((block) => block.language === language);
			for (const block of found) taken.add(block);
			return found.map(({ text }) => text);
		},
		untaken: () =>
			blocks
				// Drawings and URLs have no language.
				.filter((block) => block.language !== '' && !taken.has(block))
				.map((block) => `${name}.md: ${block.text.split('\n', 1)[0]}`),
	};
}
