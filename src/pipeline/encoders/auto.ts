import * as z from 'zod';
import type { Content } from '../pixels/content.ts';
import { avif } from './avif.ts';
import type { Chooser, Encoder, EncoderChoice } from './encoder.ts';
import { gif } from './gif.ts';
import { jpeg } from './jpeg.ts';
import { png } from './png.ts';
import { ssimTarget } from './quality.ts';
import { webp } from './webp.ts';

const names = ['avif', 'webp', 'jpeg', 'png', 'gif'] as const;
type Name = (typeof names)[number];
/** Formats that hold all 8 bits per channel; GIF has at most 256 colours. */
const losslessNames = ['png', 'webp'] as const satisfies readonly Name[];
const byName: Readonly<Record<Name, Encoder>> = {
	avif: avif as Encoder,
	webp: webp as Encoder,
	jpeg: jpeg as Encoder,
	png: png as Encoder,
	gif: gif as Encoder,
};

const schema = z
	.strictObject({
		formats: z
			.array(z.enum(names))
			.min(1, 'expected at least one format')
			.default(['avif', 'webp', 'jpeg', 'png'])
			// A set has one spelling and so one digest.
			.overwrite((formats) => names.filter((name) => formats.includes(name)))
			.describe('Formats to choose from: those that every viewer supports. Their order has no effect.'),
		ssim: ssimTarget
			.optional()
			.describe(
				'Similarity target for lossy formats: the lowest quality that reaches it replaces the default quality of the format.',
			),
		lossless: z
			.literal(true)
			.optional()
			.describe('Lossless only: animations become WebP, everything else PNG, or WebP if PNG is not in `formats`.'),
	})
	.refine(({ formats, lossless }) => !lossless || losslessNames.some((name) => formats.includes(name)), {
		error: 'expected png or webp among the formats because lossless is true',
		path: ['formats'],
	})
	.refine(({ ssim, lossless }) => !lossless || ssim === undefined, {
		error: 'expected no such key because lossless is true',
		path: ['ssim'],
	});
type AutoOptions = z.infer<typeof schema>;

function allowedBy({ formats, lossless }: AutoOptions): readonly Name[] {
	return lossless ? losslessNames.filter((name) => formats.includes(name)) : formats;
}

interface Preference {
	readonly name: Name;
	readonly options?: Readonly<Record<string, unknown>>;
}

/** Drawings have sharp edges and flat areas: lossless files are smaller than lossy ones, and lossy ones keep the full colour resolution. */
const forDrawings: readonly Preference[] = [
	{ name: 'webp', options: { lossless: true } },
	{ name: 'png', options: { compressionLevel: 9 } },
	{ name: 'avif', options: { quality: 70, chromaSubsampling: '4:4:4' } },
	{ name: 'jpeg', options: { quality: 90, chromaSubsampling: '4:4:4' } },
	{ name: 'gif' },
];
/** Smallest files first. */
const forPhotographs: readonly Preference[] = [
	{ name: 'avif' },
	{ name: 'webp' },
	{ name: 'jpeg' },
	{ name: 'png' },
	{ name: 'gif' },
];
const forAnimations: readonly Preference[] = [{ name: 'webp' }, { name: 'gif' }];

/** Every program reads PNG, which has no animation. */
const forLossless: readonly Preference[] = [
	{ name: 'png', options: { compressionLevel: 9 } },
	{ name: 'webp', options: { lossless: true } },
];

/** Best first. Formats that cannot hold the picture come last. */
function preferences({ isAnimated, isDrawing, isTransparent }: Content): readonly Preference[] {
	const still = isDrawing ? forDrawings : forPhotographs;
	const opaque = still.filter(({ name }) => name !== 'jpeg');
	return [...(isAnimated ? forAnimations : []), ...(isTransparent ? opaque : still), ...still];
}

function losslessPreferences({ isAnimated }: Content): readonly Preference[] {
	return isAnimated ? forLossless.toReversed() : forLossless;
}

function holds(encoder: Encoder, { width, height }: Content): boolean {
	return Math.max(width, height) <= encoder.maximumSide;
}

function candidate({ name, options = {} }: Preference, ssim: number | undefined): EncoderChoice {
	const encoder = byName[name];
	const isLossy = ['avif', 'webp', 'jpeg'].includes(name) && !options.lossless;
	const written = { ...options, ...(ssim !== undefined && isLossy && { quality: { ssim } }) };
	return { encoder, options: encoder.schema.parse(written) };
}

export const auto: Chooser<AutoOptions> = {
	name: 'auto',
	doc: 'Chooses a format by the content of the picture. Animations become WebP or GIF. Drawings, screenshots and text become lossless WebP or PNG. Photographs become AVIF, WebP or JPEG, in this order. Transparent pictures become JPEG only if `formats` allows nothing else.',
	schema: schema as z.ZodType<AutoOptions>,

	encoders: (options) => allowedBy(options).map((name) => byName[name]),

	// An animated format has to be allowed.
	keepsAnimation: (options) => forAnimations.some(({ name }) => allowedBy(options).includes(name)),

	choose({ formats, ssim, lossless }, content) {
		const all = lossless ? losslessPreferences(content) : preferences(content);
		const allowed = all.filter(({ name }) => formats.includes(name));
		const best = allowed.find(({ name }) => holds(byName[name], content)) ?? allowed[0];
		// The schema requires a format, and each of them is among the preferences.
		if (!best) throw new TypeError('Expected at least one format.');
		return candidate(best, ssim);
	},
};
