import type { Job } from 'bullmq';
import { folderOf, readManifest } from '../catalog/manifest.ts';
import { type Analysis, analysisSchema } from '../domain/analysis.ts';
import { isReceived, type Picture, type ReceivedPicture, type Variant } from '../domain/picture.ts';
import { maximumEncodings, type Recipe } from '../domain/recipe.ts';
import { unknownPart } from '../domain/stored.ts';
import { PicpipeError } from '../errors.ts';
import type { ImagingPool, VariantOutput } from '../imaging/scheduler.ts';
import type { AssetFinder, AssetPlaces } from '../intake/assets.ts';
import { findMissingVariants } from '../intake/missing-variants.ts';
import { analysisDigest } from '../pipeline/recipe/variant-digest.ts';
import { processJobSchema } from '../queue/jobs.ts';
import { variantKey } from '../storage/keys.ts';
import { type AttemptContext, beginAttempt } from './attempt.ts';
import type { reportTo } from './job-report.ts';
import { requireKnown } from './leave.ts';
import { forget, type Recorded, type Records, record, reopen, settle } from './record.ts';

export interface ProcessContext extends AttemptContext {
	readonly pool: ImagingPool;
	readonly assets: AssetFinder;
}

/** What a finished job returns; Arena shows it. */
export interface ProcessResult {
	readonly outcome: Recorded | 'already-ready';
	readonly variants: readonly string[];
	readonly bytes: number;
	readonly milliseconds: number;
}

/**
 * Does the job of one picture: original → imaging process → variants → manifest → index → marker gone. Doing it twice, also at
 * the same time, writes the same objects.
 *
 * @throws an error for BullMQ, after the failure was recorded unless another attempt follows; CannotServe before anything was done
 */
export async function processPicture(job: Job<unknown>, context: ProcessContext): Promise<ProcessResult> {
	const started = performance.now();
	const { data, log, attempt, report, succeed, fail } = beginAttempt(job, processJobSchema, context);
	const finish = (outcome: ProcessResult['outcome'], variants: readonly Variant[] = []): ProcessResult => {
		succeed(outcome === 'recorded');
		return {
			outcome,
			variants: variants.map((variant) => `${variant.name}.${variant.format} ${variant.width}×${variant.height}`),
			bytes: variants.reduce((sum, variant) => sum + variant.bytes, 0),
			milliseconds: Math.round(performance.now() - started),
		};
	};

	let picture: ReceivedPicture | undefined;
	try {
		picture = await report.step('read the manifest', () => openPicture(context, data.pictureId));
		// Deleted, perhaps in the middle of an attempt that then failed over it and has left variants behind.
		if (!picture) return finish(await forget(context, data.pictureId));
		if (picture.state === 'ready') {
			await settle(context, picture);
			return finish('already-ready', picture.variants);
		}
		requireKnown(picture.recipe.definition, picture);
		if (picture.state === 'failed') picture = await reopen(context, picture);
		// Only for people who watch; without Redis the work goes on untold.
		await context.catalog.markProcessing(picture).catch((err) => log.debug({ err }, 'index not updated'));
		const worked = picture;
		const { made, ...end } = await fulfil(context, worked, report);
		const { variants } = end;
		const outcome = await report.step('record', () => record(context, worked, { state: 'ready', ...end }));
		const count = `${variants.length} variants, ${made} of them made now`;
		await report.done(`${outcome === 'recorded' ? 'ready' : outcome}: ${count}`);
		log.info({ outcome, attempt, milliseconds: Math.round(performance.now() - started) }, 'picture processed');
		return finish(outcome, variants);
	} catch (thrown) {
		throw await fail(thrown, picture);
	}
}

async function openPicture({ storage }: Records, id: string): Promise<ReceivedPicture | undefined> {
	const picture = await readManifest(storage, id);
	if (!picture) return undefined;
	if (isReceived(picture)) return picture;
	// It is left as it is: its own job is another one.
	throw new PicpipeError(
		'invalid-job',
		'Expected a picture with an original but its original has not been fetched yet.',
	);
}

type Report = ReturnType<typeof reportTo>;

/** Renders the missing variants of the recipe; stored ones stay. */
async function fulfil(context: ProcessContext, picture: ReceivedPicture, report: Report) {
	const { definition } = picture.recipe;
	// Found anew with each attempt: what is drawn is the logo of now, whenever the picture was accepted.
	const assets = await context.assets.find(definition);
	const compare = () => findMissingVariants(context.storage, picture, definition, assets);
	// Of a new picture nothing is stored, and nobody wants to read that.
	const isNew = picture.variants.length === 0;
	const missing = isNew ? await compare() : await report.step('compare with what is stored', compare);
	const result = missing.recipe && (await makeVariants(context, picture, { recipe: missing.recipe, assets }, report));
	// What a newer version has found out of the same bytes stays true.
	const facts = result?.facts ? { ...picture.facts, ...result.facts } : picture.facts;
	const analysis: Analysis = { ...result?.analysis, ...unknownPart(analysisSchema, picture.analysis) };
	return {
		made: result?.variants.length ?? 0,
		...(facts && { facts }),
		analysis: missing.isAnalysed ? picture.analysis : analysis,
		analysisDigest: analysisDigest(picture.source.sha256, definition),
		variants: inRecipeOrder(picture, [...missing.stored, ...(result?.variants ?? [])]),
	};
}

async function makeVariants(
	context: ProcessContext,
	picture: ReceivedPicture,
	work: { readonly recipe: Recipe; readonly assets: AssetPlaces },
	report: Report,
) {
	const folder = folderOf(picture.id);
	const { key, sha256, bytes } = picture.source;
	const stored: Promise<Variant>[] = [];
	const store = async (output: VariantOutput): Promise<Variant> => {
		const { data, extension, milliseconds, ...made } = output;
		const rounded = Math.round(milliseconds * 10) / 10;
		const variant = {
			...made,
			milliseconds: rounded,
			key: variantKey(folder, made.name, made.digest, extension),
			bytes: data.length,
		};
		// The manifest that names it follows.
		const put = () => context.storage.put(variant.key, data, { isFollowed: true });
		await report.step(`store ${made.name}.${extension}`, put, data.length);
		return variant;
	};
	let result: Awaited<ReturnType<ImagingPool['run']>>;
	try {
		result = await context.pool.run(
			{ key, sha256, bytes, ...work },
			{
				onStep: (event) => report.made(event),
				onVariant: (output) => {
					const storing = store(output);
					// Awaited below with the others; until then a failure must not count as unhandled.
					storing.catch(() => {});
					stored.push(storing);
				},
			},
		);
	} catch (error) {
		await Promise.allSettled(stored);
		throw error;
	}
	// All of them, also where one has failed: an attempt that is over writes nothing any more.
	await Promise.allSettled(stored);
	return { ...result, variants: await Promise.all(stored) };
}

/** They come in the order in which they were finished, which may differ from run to run. */
function inRecipeOrder(picture: Picture, variants: readonly Variant[]): Variant[] {
	const { variants: named } = picture.recipe.definition;
	const place = ({ name, format }: Variant) => {
		const encodings = named[name]?.encode.map((encoding) => Object.keys(encoding)[0]) ?? [];
		// One that is in no list was chosen.
		const encoding = encodings.includes(format) ? format : 'auto';
		return Object.keys(named).indexOf(name) * maximumEncodings + encodings.indexOf(encoding);
	};
	return [...variants].sort((a, b) => place(a) - place(b));
}
