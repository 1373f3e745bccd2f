import { describe, expect, it } from 'vitest';
import { animationsOfEveryTiming } from './animations.ts';
import { type OddFile, run, wrong } from './odd-file.ts';
import { tiffsOfEveryType, tiffsWithFurtherSamples } from './tiffs.ts';

/** Odd files of each kind, through the whole engine: none of them is an internal error, and what is sound has the right pixels. */
const kinds: readonly (readonly [name: string, files: readonly OddFile[]])[] = [
	['TIFF: every type and size of samples', tiffsOfEveryType()],
	['TIFF: further samples', tiffsWithFurtherSamples()],
	['animations: every count and delay', animationsOfEveryTiming()],
];

describe('odd files', () => {
	it.each(kinds)('%s', async (_name, files) => {
		const problems: (string | undefined)[] = [];
		for (const file of files) problems.push(wrong(file, await run(file)));
		expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
	});

	it('are 1,000 at least', () => {
		const total = kinds.reduce((sum, [, files]) => sum + files.length, 0);
		expect(total).toBeGreaterThan(1_000);
	});
});
