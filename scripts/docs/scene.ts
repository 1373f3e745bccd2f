import sharp from 'sharp';
import { randomNumbers } from '../random-numbers.ts';

/**
 * Draws the pictures for the examples: an evening by a lake, with soft skies, fine grass, hard edges and an eye-catching boat.
 */

/** Size in pixels; the values in the examples match it. */
export const sceneSize = { width: 600, height: 400 };

const shore = 232;
const { width, height } = sceneSize;

/** A ridge from left to right: sums of waves, from coarse to fine. */
function ridge(base: number, roughness: number, seed: number): string {
	const random = randomNumbers(seed);
	const waves = [60, 27, 11, 5].map((length) => ({
		length,
		high: (roughness * length) / 60,
		shift: random() * 7,
	}));
	const heightAt = (x: number) =>
		waves.reduce((sum, { length, high, shift }) => sum - high * Math.sin(x / length + shift), base);
	const points = Array.from({ length: width / 3 + 1 }, (_, at) => `${at * 3} ${heightAt(at * 3).toFixed(1)}`);
	return `M0 ${shore}L${points.join('L')}L${width} ${shore}Z`;
}

/** Firs along the shore, each a few jagged triangles. */
function firs(): string {
	const random = randomNumbers(11);
	let path = '';
	for (let x = -6; x < width + 6; x += 5 + random() * 7) {
		// The bay in the middle stays open.
		const isOpen = x > 190 && x < 500;
		const tall = isOpen ? 7 + random() * 6 : 22 + random() * 34;
		for (const [share, half] of [
			[1, 0.1],
			[0.72, 0.16],
			[0.45, 0.21],
		] as const) {
			path += `M${x.toFixed(1)} ${(shore - tall * share).toFixed(1)}l${(tall * half).toFixed(1)} ${(tall * 0.42).toFixed(1)}h${(-2 * tall * half).toFixed(1)}Z`;
		}
		path += `M${(x - 1).toFixed(1)} ${shore}v-${(tall * 0.3).toFixed(1)}h2v${(tall * 0.3).toFixed(1)}Z`;
	}
	return path;
}

/** Light on the water in short strokes, more of it below the sun. */
function glints(): string {
	const random = randomNumbers(5);
	let path = '';
	for (let count = 0; count < 260; count++) {
		const y = shore + 4 + random() ** 1.6 * (height - shore - 50);
		const spread = 16 + (y - shore) * 0.9;
		const x = 205 + (random() + random() + random() - 1.5) * spread * 1.6;
		path += `M${x.toFixed(1)} ${y.toFixed(1)}h${(2 + random() * (y - shore) * 0.12).toFixed(1)}`;
	}
	return path;
}

/** Blades of grass in front, thin and sharp. */
function grass(seed: number, from: number, tallest: number): string {
	const random = randomNumbers(seed);
	let path = '';
	for (let x = -10; x < width + 10; x += 1.6 + random() * 2) {
		const tall = tallest * (0.35 + random() * 0.65) * (0.55 + 0.45 * Math.abs(Math.cos((x + 70) / 170)));
		const lean = (random() - 0.42) * tall * 0.9;
		path += `M${x.toFixed(1)} ${from}q${(lean * 0.2).toFixed(1)} ${(-tall * 0.7).toFixed(1)} ${lean.toFixed(1)} ${(-tall).toFixed(1)}`;
	}
	return path;
}

const boat = `<g transform="translate(418 262)">
	<path d="M-34 8C-30 22 26 22 36 6L-34 8Z" fill="#b3261e"/><path d="M-34 8L36 6L35 10L-33 12Z" fill="#f6e9d8"/>
	<path d="M1 6V-74" stroke="#4a3428" stroke-width="2.4"/>
	<path d="M4 -70C34 -46 38 -20 34 -2L4 1Z" fill="#fff8ec"/><path d="M4 -44C20 -34 33 -26 36 -20L35 -10L4 -24Z" fill="#e0562f"/>
	<path d="M-3 -62C-12 -38 -20 -18 -29 -1L-3 1Z" fill="#f3e3c8"/>
	<path d="M1 -74l13 4l-13 5Z" fill="#b3261e"/><circle cx="-12" cy="0" r="4.2" fill="#2b2a33"/><path d="M-18 9C-18 2 -7 2 -6 8Z" fill="#2f5d8a"/>
</g>`;

const reflected = `<g transform="translate(0 ${2 * 280}) scale(1 -1)" opacity="0.35" filter="url(#soft)">${boat}</g>`;

/** The colours of the scene, and film grain. */
const definitions = `<defs>
	<linearGradient id="sky" x2="0" y2="1"><stop stop-color="#31456e"/><stop offset="0.45" stop-color="#8e7fa2"/><stop offset="0.75" stop-color="#e9a884"/><stop offset="1" stop-color="#fbd9a0"/></linearGradient>
	<linearGradient id="water" x2="0" y2="1"><stop stop-color="#e2b08c"/><stop offset="0.35" stop-color="#7f86a0"/><stop offset="1" stop-color="#20304a"/></linearGradient>
	<radialGradient id="glow" cx="205" cy="176" r="210" gradientUnits="userSpaceOnUse"><stop stop-color="#fff3c4" stop-opacity="0.95"/><stop offset="0.3" stop-color="#ffdf9a" stop-opacity="0.45"/><stop offset="1" stop-color="#ffdf9a" stop-opacity="0"/></radialGradient>
	<filter id="soft" x="-20%" y="-20%" width="140%" height="140%"><feGaussianBlur stdDeviation="2.2 0.6"/></filter>
	<filter id="cloud" x="0" y="0" width="100%" height="100%"><feTurbulence type="fractalNoise" baseFrequency="0.006 0.03" numOctaves="5" seed="8"/><feColorMatrix values="0 0 0 0 1  0 0 0 0 0.87  0 0 0 0 0.8  1.9 0 0 0 -0.86"/></filter>
	<filter id="grain" x="0" y="0" width="100%" height="100%"><feTurbulence type="fractalNoise" baseFrequency="0.8" numOctaves="2" seed="3"/><feColorMatrix values="0.33 0.33 0.33 0 0  0.33 0.33 0.33 0 0  0.33 0.33 0.33 0 0  0 0 0 0 0.13"/></filter>
	<filter id="rock" x="0" y="0" width="100%" height="100%"><feTurbulence type="fractalNoise" baseFrequency="0.035 0.09" numOctaves="4" seed="21"/><feColorMatrix values="0 0 0 0 0.1  0 0 0 0 0.08  0 0 0 0 0.16  0 1.7 0 0 -0.72"/><feComposite in2="SourceGraphic" operator="in"/></filter>
</defs>`;

/** @param inner content of the picture */
function svg(inner: string): string {
	return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${definitions}${inner}</svg>`;
}

function scene(): string {
	const [far, middle, near] = [ridge(150, 30, 2), ridge(178, 22, 7), ridge(206, 14, 9)];
	return svg(`<rect width="${width}" height="${shore}" fill="url(#sky)"/>
		<rect width="${width}" height="190" filter="url(#cloud)"/>
		<circle cx="205" cy="176" r="17" fill="#fff6d6"/>
		<path d="${far}" fill="#8c7f9b"/><path d="${far}" fill="#000" filter="url(#rock)" opacity="0.45"/>
		<path d="${middle}" fill="#665f80"/><path d="${middle}" fill="#000" filter="url(#rock)" opacity="0.7"/>
		<path d="${near}" fill="#3f4560"/><path d="${near}" fill="#000" filter="url(#rock)"/>
		<rect width="${width}" height="${height}" fill="url(#glow)"/>
		<rect y="${shore}" width="${width}" height="${height - shore}" fill="url(#water)"/>
		<g transform="translate(0 ${2 * shore}) scale(1 -1)" opacity="0.3" filter="url(#soft)"><path d="${near}" fill="#2c3350"/><path d="${firs()}" fill="#151d26"/></g>
		<path d="${firs()}" fill="#18222b"/>
		<path d="${glints()}" stroke="#ffe9b8" stroke-width="1.3" stroke-linecap="round" opacity="0.8"/>
		${reflected}${boat}
		<path d="${grass(3, height, 66)}" fill="none" stroke="#1d2a22" stroke-width="1.7"/>
		<path d="${grass(4, height, 48)}" fill="none" stroke="#6f7a3f" stroke-width="1.1"/>
		<path d="M92 62q7 -7 13 0q6 -7 13 0M122 78q5 -5 9 0q5 -5 9 0M74 86q4 -4 8 0q4 -4 8 0" fill="none" stroke="#232a3d" stroke-width="1.8"/>
		<rect width="${width}" height="${height}" filter="url(#grain)"/>`);
}

/** Pictures that examples begin with, by name. */
export const sources = {
	/** The whole scene. */
	scene: () => draw(scene()),
	/** The scene in haze. */
	hazy: async () =>
		sharp(await draw(scene()))
			.linear(0.6, 84)
			.png()
			.toBuffer(),
	/** The scene with broad margins. */
	framed: async () =>
		sharp(await draw(scene()))
			.resize(390)
			.extend({ top: 60, bottom: 80, left: 140, right: 70, background: '#f4f1ea' })
			.png()
			.toBuffer(),
	/** The boat on a transparent background. */
	cutout: () => draw(svg(`<g transform="translate(-870 -460) scale(2.8)">${boat}</g>`)),
} as const;
export type SourceName = keyof typeof sources;

/** A logo for watermarks. */
export function logo(): Promise<Buffer> {
	return draw(`<svg xmlns="http://www.w3.org/2000/svg" width="240" height="160"><rect x="6" y="6" width="228" height="148" rx="28" fill="#fff" fill-opacity="0.85"/>
		<circle cx="80" cy="80" r="44" fill="#e0562f"/><path d="M80 36a44 44 0 0 1 0 88Z" fill="#20304a"/>
		<path d="M146 54h64M146 80h48M146 106h58" stroke="#20304a" stroke-width="12" stroke-linecap="round"/></svg>`);
}

function draw(text: string): Promise<Buffer> {
	return sharp(Buffer.from(text)).png().toBuffer();
}
