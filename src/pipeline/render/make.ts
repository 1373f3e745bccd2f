import { createHash } from 'node:crypto';
import { profileFor } from '../colour/profile.ts';
import { decode, decodeFrames, openPhotograph } from '../decode/decode.ts';
import type { Encoder } from '../encoders/index.ts';
import { metadataOf } from '../metadata/metadata.ts';
import { firstFrame, open, type Pixels, scaled } from '../pixels/pixels.ts';
import type { Direct } from '../plan/direct.ts';
import { type Level, type LevelVariant, needsFrames } from '../plan/levels.ts';
import { type PlannedEncoding, type PlannedVariant, variantDigest } from '../recipe/plan.ts';
import { applySteps } from './steps.ts';
import { noAssets, pageOf, type VariantWork } from './work.ts';
import { candidateFor, type Extras, encode, type Written, write } from './write.ts';

/** Makes a variant of a level's pixels, and starts those that stand on it. */
export async function makeVariant(level: LevelVariant, pixels: Pixels, work: VariantWork): Promise<void> {
	const { report, lanes } = work;
	const { assets = noAssets } = work.input;
	let started = performance.now();
	const stepped = await applySteps(level, level.frames > 1 ? pixels : firstFrame(pixels), assets);
	const { variant, chained } = stepped.level;
	const { pixels: shared } = stepped;
	const { metadata, colour } = variant.output;
	const picture = pageOf(work.input, variant);
	const extras: Extras = {
		attach: metadataOf(metadata, picture),
		profile: await profileFor(colour, picture.profile),
	};
	if (shared) for (const next of chained) lanes.start(() => makeVariant(next, shared, work));
	for (const encoding of variant.encodings) {
		const candidate = await candidateFor(encoding, stepped);
		const step = `encode ${variant.name}.${candidate.encoder.extension}`;
		const encoded = await report(
			step,
			() => write(stepped, candidate, extras, step),
			({ data }) => data.length,
		);
		const milliseconds = performance.now() - started;
		started = performance.now();
		tell(work, variant, encoding, candidate.encoder, { ...encoded, milliseconds });
	}
}

/** Makes what `directOf` has found; whatever goes wrong, or is only odd, is gone about as always, which knows what to make of it. */
export async function makeDirectly(
	direct: Direct,
	from: { readonly level: Level; readonly levels: readonly Level[]; readonly base: Pixels | undefined },
	work: VariantWork,
): Promise<void> {
	const { level, levels, base } = from;
	const { variant, pass, encoding, encoder } = direct;
	const { options } = encoding;
	const { input, report } = work;
	const picture = pageOf(input, level);
	const started = performance.now();
	const step = `${base ? 'scale' : 'decode'} and encode ${variant.variant.name}.${encoder.extension}`;
	const attach = metadataOf(variant.variant.output.metadata, picture);
	const opened = base ? open(base) : openPhotograph(input.file, picture);
	const scaled = await pass.operation.apply(opened, pass.options, pass.input, noAssets);
	const image = encoder.apply(attach ? attach(scaled) : scaled, options);
	const encoded = await report(
		step,
		() => encode(image),
		({ data }) => data.length,
	).catch(() => undefined);
	if (!encoded) {
		const made = new Map(level.base && base && [[level.base, base]]);
		return makeVariant(variant, await makeLevel(level, levels, made, work), work);
	}
	tell(work, variant.variant, encoding, encoder, { ...encoded, milliseconds: performance.now() - started });
}

function tell(
	{ input, listener }: VariantWork,
	variant: PlannedVariant,
	encoding: PlannedEncoding,
	{ name, type, extension }: Encoder,
	{ data, ...made }: Written & { readonly milliseconds: number },
): void {
	listener.onVariant({
		name: variant.name,
		format: name,
		type,
		extension,
		digest: variantDigest(input.sha256, variant, encoding, input.assets ?? noAssets),
		sha256: createHash('sha256').update(data).digest('hex'),
		data,
		...made,
	});
}

/** Decodes a level, or scales it from the one that it is made from. */
export async function makeLevel(
	level: Level,
	levels: readonly Level[],
	made: ReadonlyMap<Level, Pixels>,
	{ input, report }: VariantWork,
): Promise<Pixels> {
	const { file } = input;
	const picture = pageOf(input, level);
	const keepsFrames = needsFrames(level, levels);
	const base = level.base && made.get(level.base);
	if (!base) {
		return report(
			'decode',
			() => (keepsFrames ? decodeFrames(file, picture, level) : decode(file, picture, level, level.colour)),
			() => file.length,
		);
	}
	return report(
		`scale to ${level.width}×${level.height}`,
		() => scaled(keepsFrames ? base : firstFrame(base), level),
		(pixels) => pixels.data.length,
	);
}
