import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withCodes } from '../helpers/boxes.ts';
import { extraTitle, photograph, sharedPictures } from '../helpers/pictures.ts';
import { make, one } from '../pipeline/make.ts';
import { animationsOfEveryTiming } from '../pipeline/odd/animations.ts';
import { jpegsOfEveryOrder, jpegsOfStrayBytes } from '../pipeline/odd/jpegs.ts';
import type { OddFile } from '../pipeline/odd/odd-file.ts';
import { pngsOfEveryColourChunk } from '../pipeline/odd/pngs.ts';
import { allowedDifference, allowedDifferences } from './allowed-differences.ts';
import { openSideBySide, type SideBySide } from './side-by-side.ts';

/** Chromium as a second opinion: whatever it shows of a file, the full-size PNG of picpipe shows too. */

const isWhole = process.env.TEST_BROWSERS === 'whole';

/** Types that Chromium shows, by extension. */
const types: Readonly<Record<string, string>> = {
	'.jpg': 'image/jpeg',
	'.png': 'image/png',
	'.webp': 'image/webp',
	'.gif': 'image/gif',
	'.avif': 'image/avif',
	'.svg': 'image/svg+xml',
};

/** Differences of rounding: conversions of colours and of alpha, in 255. */
const tolerated = { mean: 1, most: 3 };

const dot = sharp({ create: { width: 1, height: 1, channels: 3, background: '#000000' } })
	.png()
	.toBuffer();

let sideBySide: SideBySide;
beforeAll(async () => {
	sideBySide = await openSideBySide();
});
afterAll(() => sideBySide.close());

interface Shown {
	/** With the folder, and an extension that tells the type. */
	readonly name: string;
	readonly read: () => Promise<Buffer>;
}

/** What is wrong; undefined if nothing is. */
async function problemOf({ name, read }: Shown): Promise<string | undefined> {
	const type = types[extname(name)];
	if (!type) throw new TypeError(`Expected a type that Chromium shows but received ${name}.`);
	const file = await read();
	const made = await make(file, one([], [{ png: { compressionLevel: 1 } }]), {
		maxMegapixels: 200,
		svg: { maxBytes: 1_000_000, maxElements: 1_000 },
	}).catch((error: Error) => error);
	if (made instanceof Error) {
		const isShown = (await sideBySide.compare(file, type, await dot)) !== undefined;
		return isShown ? `${name}: ${made.message}` : undefined;
	}
	const found = await sideBySide.compare(file, type, made.variant('only').data);
	const allowed = allowedDifference(name);
	if (!found) return `${name}: Chromium does not show it`;
	if (allowed) return found.mean <= allowed.mean ? undefined : `${name}: ${JSON.stringify(found)}; ${allowed.reason}`;
	const isAlike = found.mean <= tolerated.mean && found.most <= tolerated.most;
	return isAlike ? undefined : `${name}: ${JSON.stringify(found)}`;
}

async function problemsOf(pictures: readonly Shown[]): Promise<string[]> {
	const problems: string[] = [];
	for (const picture of pictures) {
		const problem = await problemOf(picture);
		if (problem !== undefined) problems.push(problem);
	}
	return problems;
}

const photo = { width: 96, height: 64 } as const;

/** Colours, alpha and orientation as the formats can describe them. */
const described: Readonly<Record<string, () => Promise<Buffer>>> = {
	...Object.fromEntries(
		(['jpeg', 'png', 'webp', 'avif', 'gif'] as const).map((format) => [
			`plain.${format === 'jpeg' ? 'jpg' : format}`,
			() => photograph({ ...photo, format }),
		]),
	),
	...Object.fromEntries(
		[1, 2, 3, 4, 5, 6, 7, 8].map((orientation) => [
			`orientation-${orientation}.jpg`,
			() => photograph({ ...photo, orientation }),
		]),
	),
	...Object.fromEntries(
		([1, 9, 12] as const).flatMap((primaries) =>
			[1, 4, 8, 13, 16, 18].map((transfer) => [
				`primaries-${primaries}-transfer-${transfer}.avif`,
				async () =>
					withCodes(
						await sharp(await photograph(photo))
							.avif({ lossless: true })
							.toBuffer(),
						primaries,
						transfer,
					),
			]),
		),
	),
	'p3.jpg': () => photograph({ ...photo, icc: 'p3' }),
	'p3.png': () => photograph({ ...photo, icc: 'p3', format: 'png' }),
	'cmyk.jpg': () => photograph({ ...photo, icc: 'cmyk' }),
	'progressive.jpg': () => photograph({ ...photo, progressive: true }),
	'grey.jpg': () => photograph({ ...photo, greyscale: true }),
	'deep.png': () => photograph({ ...photo, format: 'png', deep: true }),
	...Object.fromEntries(
		(['png', 'webp', 'avif'] as const).map((format) => [
			`alpha.${format}`,
			async () => {
				const half = await sharp(await photograph(photo))
					.ensureAlpha(0.5)
					.png()
					.toBuffer();
				return sharp(half)
					[format]({ lossless: true } as object)
					.toBuffer();
			},
		]),
	),
	'drawing.svg': async () =>
		Buffer.from(
			'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40"><rect width="30" height="40" fill="#1e64c8"/><rect x="30" y="20" width="30" height="20" fill="#dc1e1e"/></svg>',
		),
};

/** In a short run, one in so many of the odd files; different ones of each kind, as their number has no common divisor with theirs. */
const shortStep = 37;

/** Sound files that only one outcome is right for. */
function shownOf(files: readonly OddFile[]): readonly Shown[] {
	return files
		.filter(({ ends }) => ends.length === 1 && ends[0] === 'ready')
		.filter((_, index) => isWhole || index % shortStep === 0)
		.map(({ name, file }) => ({ name: `${name}${extensionOf(name)}`, read: async () => file }));
}

function extensionOf(name: string): string {
	const [, format = ''] = /^(PNG|JPEG|gif|webp)/.exec(name) ?? [];
	return { PNG: '.png', JPEG: '.jpg', gif: '.gif', webp: '.webp' }[format] ?? '';
}

describe('pictures as Chromium shows them', { timeout: 600_000 }, () => {
	it('in every colour space, orientation and kind of alpha', async () => {
		const pictures = Object.entries(described).map(([name, read]) => ({ name: `described/${name}`, read }));
		expect(await problemsOf(pictures)).toEqual([]);
	});

	it.each([
		['PNG with every set of colour chunks', pngsOfEveryColourChunk],
		['JPEG with segments in every order', jpegsOfEveryOrder],
		['JPEG with stray bytes', jpegsOfStrayBytes],
		['animations with every timing', async () => animationsOfEveryTiming()],
	])('%s', async (_name, filesOf) => {
		const pictures = shownOf(await filesOf());
		expect(pictures.length).toBeGreaterThan(3);
		expect(await problemsOf(pictures)).toEqual([]);
	});
});

/** Files that are damaged, or of kinds that only Chromium has a decoder for. */
const unsound = /^hole|12bit/;

/** In a short run, the small files. */
const folders = ['../cases', 'formats', ...(isWhole ? ['animated', 'orientation', 'photos', 'pngsuite'] : [])];
for (const folder of folders) {
	const pictures = sharedPictures(
		folder,
		isWhole ? /\.(jpg|png|webp|gif|avif|svg)$/ : /^(?!tall_|g_600_).*\.(jpg|png|webp|gif|avif)$/,
	);
	describe.skipIf(pictures.length === 0)(extraTitle(folder, pictures), { timeout: 900_000 }, () => {
		it.skipIf(pictures.length === 0)('look as in Chromium', async () => {
			const shown = pictures
				.filter(({ name }) => !unsound.test(name))
				.map(({ name, path }) => ({
					name: `${basename(folder)}/${name}`,
					read: () => readFile(path),
				}));
			expect(await problemsOf(shown)).toEqual([]);
		});
	});
}

describe('the list of allowed differences', () => {
	it('gives a reason for each', () => {
		for (const { reason } of allowedDifferences) expect(reason).toMatch(/^[A-Z].{20,}\.$/);
	});
});
