import sharp, { type Sharp } from 'sharp';
import { logo } from './assets.ts';
import { at, map, pixelsOf, type Rgba } from './pixels.ts';

/**
 * What the example of each operation makes of a picture of 600 × 400, made without the operation: by sharp called directly,
 * or pixel by pixel. An operation without an entry here has no test of what it makes.
 */
export const expected: Readonly<Record<string, (file: Buffer) => Promise<Rgba>>> = {
	resize: (file) => bySharp(sharp(file).resize({ width: 640, height: 480, position: 'attention' })),
	crop: (file) => bySharp(sharp(file).resize({ width: 320, height: 400, position: 'attention' })),
	trim: (file) => bySharp(sharp(file).trim({ threshold: 40, margin: 10 })),
	extend: (file) =>
		byPixels(file, (from, x, y) => at(from, x < 100 ? 99 - x : x < 700 ? x - 100 : 1299 - x, y), {
			width: 800,
			height: 400,
		}),
	border: (file) =>
		byPixels(
			file,
			(from, x, y) => (x < 24 || y < 24 || x >= 624 || y >= 424 ? [0x8a, 0x1c, 0x1c] : at(from, x - 24, y - 24)),
			{ width: 648, height: 448 },
		),
	rotate: (file) => bySharp(sharp(file).rotate(-8, { background: '#f4f1ea' })),
	flip: (file) => byPixels(file, (from, x, y) => at(from, x, 399 - y)),
	flop: (file) => byPixels(file, (from, x, y) => at(from, 599 - x, y)),
	flatten: pixelsOf,
	round: (file) => masked(sharp(file), 600, 400, '<rect width="600" height="400" rx="48" ry="48"/>'),
	circle: (file) =>
		masked(
			sharp(file).extract({ left: 200, top: 0, width: 400, height: 400 }),
			400,
			400,
			'<circle cx="200" cy="200" r="200"/>',
		),
	sharpen: (file) => bySharp(sharp(file).sharpen({ sigma: 2, m2: 4 })),
	unsharp: (file) =>
		bySharp(sharp(file).convolve({ width: 3, height: 3, kernel: [-1, -1, -1, -1, 18, -1, -1, -1, -1], scale: 10 })),
	blur: (file) => bySharp(sharp(file).blur(8)),
	median: (file) => bySharp(sharp(file).median(9)),
	modulate: (file) => bySharp(sharp(file).modulate({ brightness: 1.1, saturation: 1.4, hue: 30 })),
	contrast: (file) => byColours(file, (colour) => colour.map((value) => 127.5 + (value - 127.5) * 1.6)),
	gamma: (file) => byColours(file, (colour) => colour.map((value) => 255 * (value / 255) ** (1 / 1.8))),
	normalise: (file) => bySharp(sharp(file).normalise({ lower: 2, upper: 98 })),
	clahe: (file) => bySharp(sharp(file).clahe({ width: 100, height: 100, maxSlope: 40 })),
	grayscale: (file) => byColours(file, (colour) => grey(luminance(colour))),
	tint: (file) => bySharp(sharp(file).tint('#c08040')),
	duotone: (file) =>
		byColours(file, ([red = 0, green = 0, blue = 0]) => {
			const share = (red * 0.2126 + green * 0.7152 + blue * 0.0722) / 255;
			return [0x1b + (0xff - 0x1b) * share, 0x14 + (0xd1 - 0x14) * share, 0x64 + (0x66 - 0x64) * share];
		}),
	colorize: (file) => byColours(file, (colour) => over(colour, [0x8a, 0x1c, 0x1c, 102])),
	gradient: (file) =>
		byPixels(file, (from, x, y) => {
			const share = Math.max(0, ((y + 0.5) / 400 - 0.3) / 0.7);
			return over(at(from, x, y), [0, 0, 0, 255], share * 0.8);
		}),
	negate: (file) => byColours(file, (colour) => colour.map((value) => 255 - value)),
	threshold: (file) => byColours(file, (colour) => grey(Math.round(luminance(colour)) >= 110 ? 255 : 0)),
	pixelate: (file) => blocks(file, 24, 24),
	opacity: (file) => byColours(file, (colour) => [...colour, 128]),
	async watermark(file) {
		// 30 % of 600 × 400 holds 180 × 120; 3 % of each side lies beyond it.
		const mark = await pixelsOf(
			await sharp(await logo())
				.resize(180, 120)
				.png()
				.toBuffer(),
		);
		return byPixels(file, (from, x, y) => {
			const isOutside = x < 402 || y < 268 || x >= 582 || y >= 388;
			return isOutside ? at(from, x, y) : over(at(from, x, y), at(mark, x - 402, y - 268), 0.8);
		});
	},
	async text(file) {
		const markup = '<span foreground="#ffd166">Fish &amp; &lt;chips&gt;</span>';
		const drawing = sharp({ text: { text: markup, font: 'sans, bold 40px', rgba: true } });
		const letters = await pixelsOf(await drawing.png().toBuffer());
		const [width, height] = [letters.width + 32, letters.height + 32];
		const [left, top] = [Math.ceil((600 - width) / 2), 400 - height - 24];
		return byPixels(file, (from, x, y) => {
			const [column, row] = [x - left, y - top];
			if (column < 0 || row < 0 || column >= width || row >= height) return at(from, x, y);
			const box = over(at(from, x, y), [0, 0, 0, 0x99]);
			const isPadding = column < 16 || row < 16 || column >= width - 16 || row >= height - 16;
			return isPadding ? box : over(box, at(letters, column - 16, row - 16));
		});
	},
};

/** One colour over an opaque other. */
function over(below: readonly number[], above: readonly number[], opacity = 1): number[] {
	const alpha = ((above[3] ?? 0) / 255) * opacity;
	return below.slice(0, 3).map((value, channel) => value + ((above[channel] ?? 0) - value) * alpha);
}

async function bySharp(image: Sharp): Promise<Rgba> {
	return pixelsOf(await image.png().toBuffer());
}

async function byPixels(
	file: Buffer,
	colour: (from: Rgba, x: number, y: number) => readonly number[],
	size = { width: 600, height: 400 },
): Promise<Rgba> {
	const from = await pixelsOf(file);
	return map(from, size, (x, y) => colour(from, x, y));
}

function byColours(file: Buffer, colour: (rgb: number[]) => readonly number[]): Promise<Rgba> {
	return byPixels(file, (from, x, y) => colour(at(from, x, y).slice(0, 3)));
}

/** Cut out by a drawing, which librsvg renders. */
function masked(image: Sharp, width: number, height: number, shape: string): Promise<Rgba> {
	const mask = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${shape}</svg>`;
	return bySharp(image.composite([{ input: Buffer.from(mask), blend: 'dest-in' }]));
}

function grey(value: number): number[] {
	return [value, value, value];
}

/** The sRGB value of a grey as light as the colour (IEC 61966-2-1). */
function luminance([red = 0, green = 0, blue = 0]: readonly number[]): number {
	const linear = (value: number) => (value <= 10.31 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4);
	const light = 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
	return 255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055);
}

/** The mean of each block. 600 / 24 = 25, and 400 / 24 is nearest to 17. */
async function blocks(file: Buffer, width: number, height: number): Promise<Rgba> {
	const from = await pixelsOf(file);
	const [columns, rows] = [Math.round(600 / width), Math.round(400 / height)];
	const blockOf = (x: number, y: number) => Math.floor((y * rows) / 400) * columns + Math.floor((x * columns) / 600);
	const sums = Array.from({ length: columns * rows }, () => [0, 0, 0, 0]);
	for (let y = 0; y < 400; y++) {
		for (let x = 0; x < 600; x++) {
			const sum = sums[blockOf(x, y)] ?? [];
			const colour = at(from, x, y);
			for (let channel = 0; channel < 3; channel++) sum[channel] = (sum[channel] ?? 0) + (colour[channel] ?? 0);
			sum[3] = (sum[3] ?? 0) + 1;
		}
	}
	return map(from, from, (x, y) => {
		const [red = 0, green = 0, blue = 0, count = 1] = sums[blockOf(x, y)] ?? [];
		return [red / count, green / count, blue / count];
	});
}
