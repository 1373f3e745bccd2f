import { describe, expect, it } from 'vitest';
import { animationsOfEveryTiming } from './animations.ts';
import { jpegsOfEveryOrder, jpegsOfOtherKinds, jpegsOfStrayBytes } from './jpegs.ts';
import { type OddFile, run, wrong } from './odd-file.ts';
import { pngsOfEveryColourChunk, pngsOfWrongChunks } from './pngs.ts';
import { tiffsOfEveryType, tiffsWithFurtherSamples } from './tiffs.ts';

/** Odd files of each kind and how many there are: none is an internal error, and what is sound has the right pixels. */
const kinds: readonly (readonly [name: string, count: number, files: () => OddFile[] | Promise<OddFile[]>])[] = [
	['TIFF: every type and size of samples', 450, tiffsOfEveryType],
	['TIFF: further samples', 216, tiffsWithFurtherSamples],
	['PNG: every set of chunks about colours', 406, pngsOfEveryColourChunk],
	['PNG: wrong chunks', 462, pngsOfWrongChunks],
	['animations: every count and delay', 144, animationsOfEveryTiming],
	['JPEG: every order of segments', 240, jpegsOfEveryOrder],
	['JPEG: stray bytes', 189, jpegsOfStrayBytes],
	['JPEG: other kinds', 143, jpegsOfOtherKinds],
];

describe('odd files through the whole engine', () => {
	it.each(kinds)('%s: %i files', async (_name, count, files) => {
		const all = await files();
		const problems: (string | undefined)[] = [];
		for (const file of all) problems.push(wrong(file, await run(file)));
		expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
		expect(all).toHaveLength(count);
	});
});
