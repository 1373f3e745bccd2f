import sharp, { type Metadata } from 'sharp';
import type { OddFile } from './odd-file.ts';

/** GIFs and WebPs of two frames with every edge of counts and delays that the formats hold. */

const side = 16;
const colours = [
	[255, 0, 0],
	[0, 0, 255],
] as const;

type Format = 'gif' | 'webp';

/** Counts as they are in the file: repetitions of a GIF, runs of a WebP. */
const counts = [0, 1, 2, 3, 10, 127, 128, 255, 256, 1_000, 32_767, 32_768, 65_533, 65_534, 65_535];
/** Delays as they are in the file: hundredths of a second in a GIF, milliseconds in a WebP. */
const delays: Readonly<Record<Format, readonly number[]>> = {
	gif: [
		0, 1, 2, 3, 5, 9, 10, 11, 12, 100, 255, 256, 1_000, 6_553, 6_554, 6_555, 10_000, 32_767, 32_768, 65_534, 65_535,
	],
	webp: [
		0, 1, 5, 9, 10, 11, 12, 15, 100, 255, 256, 65_534, 65_535, 65_536, 100_000, 655_350, 655_351, 655_360, 16_777_215,
	],
};

const made = { gif: animation('gif'), webp: animation('webp') };

async function animation(format: Format): Promise<Buffer> {
	const frames = colours.map(([r, g, b]) =>
		sharp({ create: { width: side, height: side, channels: 3, background: { r, g, b } } })
			.png()
			.toBuffer(),
	);
	const image = sharp(await Promise.all(frames), { join: { animated: true } });
	const timing = { delay: [100, 200], loop: 7 };
	return format === 'gif' ? image.gif(timing).toBuffer() : image.webp({ ...timing, lossless: true }).toBuffer();
}

/** @param count absent for a GIF without the extension, which runs once */
async function patched(format: Format, count: number | undefined, delay: number): Promise<Buffer> {
	const file = Buffer.from(await made[format]);
	if (format === 'webp') {
		file.writeUInt16LE(count ?? 1, file.indexOf('ANIM') + 12);
		file.writeUIntLE(delay, file.indexOf('ANMF') + 20, 3);
		return file;
	}
	const netscape = file.indexOf('NETSCAPE2.0');
	file.writeUInt16LE(delay, file.indexOf(Buffer.from([0x21, 0xf9, 4])) + 4);
	if (count === undefined) return Buffer.concat([file.subarray(0, netscape - 3), file.subarray(netscape + 16)]);
	file.writeUInt16LE(count, netscape + 13);
	return file;
}

/** Every count with a usual delay, and every delay with a usual count, into both formats. */
export function animationsOfEveryTiming(): OddFile[] {
	const files: OddFile[] = [];
	for (const from of ['gif', 'webp'] as const) {
		for (const to of ['gif', 'webp'] as const) {
			const all = [
				...[undefined, ...counts].map((count) => [count, 10] as const),
				...delays[from].map((delay) => [3, delay] as const),
			];
			for (const [count, delay] of all) {
				files.push({
					name: `${from} of count ${count ?? 'none'} and delay ${delay} to ${to}`,
					file: patched(from, count, delay),
					recipe: { variants: { only: { steps: [], encode: [{ [to]: {} }] } } },
					ends: ['ready'],
					check: async (data) => {
						const found = await sharp(data, { pages: -1 }).metadata();
						const expected = { loop: runsOf(from, to, count), delay: delayOf(from, to, delay) };
						return isAsExpected(found, expected)
							? undefined
							: `${JSON.stringify(expected)} became ${found.loop}, ${found.delay}`;
					},
				});
			}
		}
	}
	return files;
}

/** Runs in all, 0 for endless. A GIF counts repetitions, so that it holds one run more than a WebP, which counts runs. */
function runsOf(from: Format, to: Format, count: number | undefined): number {
	const runs = count === undefined ? 1 : from === 'gif' && count > 0 ? count + 1 : count;
	return Math.min(runs, to === 'gif' ? 65_536 : 65_535);
}

/** Milliseconds. */
function delayOf(from: Format, to: Format, stored: number): number {
	const delay = from === 'gif' ? stored * 10 : stored;
	// libvips, like browsers, takes up to 10 ms for a delay that nobody meant.
	if (to === 'webp') return delay <= 10 ? 100 : delay;
	// Hundredths of a second; a half becomes the even one.
	const hundredths = delay % 10 === 5 ? 2 * Math.round(delay / 20) : Math.round(delay / 10);
	return Math.min(hundredths, 65_535) * 10;
}

function isAsExpected({ loop, delay = [], pages }: Metadata, expected: { loop: number; delay: number }): boolean {
	return pages === 2 && loop === expected.loop && delay[0] === expected.delay && delay[1] === 200;
}
