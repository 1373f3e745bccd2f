import type { Job } from 'bullmq';
import { readManifest } from '../catalog/manifest.ts';
import { type Analysis, analysisSchema } from '../domain/analysis.ts';
import { type FailedVariant, isReceived, type Picture, type ReceivedPicture, type Variant } from '../domain/picture.ts';
import { maximumEncodings, type Recipe } from '../domain/recipe.ts';
import { unknownPart } from '../domain/stored.ts';
import { PicpipeError } from '../errors.ts';
import type { VariantFailure } from '../imaging/scheduler.ts';
import { findMissingVariants, missingRecipe } from '../intake/missing-variants.ts';
import { analysisDigest } from '../pipeline/recipe/variant-digest.ts';
import { processJobSchema } from '../queue/jobs.ts';
import { errorOfJob } from '../queue/retry.ts';
import { type AttemptContext, beginAttempt } from './attempt.ts';
import type { reportTo } from './job-report.ts';
import { requireKnown } from './leave.ts';
import { findAssets, type MadeVariants, type MakingContext, makeVariants } from './make-variants.ts';
import { failedVariant, forget, keepMade, type Recorded, type Records, record, reopen, settle } from './record.ts';

export type ProcessContext = AttemptContext & MakingContext;

/** Result of a completed job; Arena shows it. */
export interface ProcessResult {
	readonly outcome: Recorded | 'already-ready';
	readonly variants: readonly string[];
	/** The failed variants with their codes. */
	readonly failed?: readonly string[];
	readonly bytes: number;
	/** Megapixels that were decoded, measured by the header that the decoder read; 0 if nothing had to be made. */
	readonly megapixels: number;
	readonly milliseconds: number;
}

/**
 * Processes one picture: original → imaging process → variants → manifest → index → marker deleted. Doing it twice, even at the same time,
 * writes the same objects.
 *
 * @throws an error for BullMQ, after the failure was recorded unless another attempt follows; CannotServe before anything was done
 */
export async function processPicture(job: Job<unknown>, context: ProcessContext): Promise<ProcessResult> {
	const started = performance.now();
	const { data, log, attempt, isRetried, report, endIfFailed, leaveNothing, succeed, fail } = beginAttempt(
		job,
		processJobSchema,
		context,
	);
	const finish = (
		outcome: ProcessResult['outcome'],
		variants: readonly Variant[] = [],
		failed: readonly FailedVariant[] = [],
		megapixels = 0,
	): ProcessResult => {
		succeed(outcome === 'recorded');
		if (outcome === 'deleted') leaveNothing();
		return {
			outcome,
			variants: variants.map((variant) => `${variant.name}.${variant.format} ${variant.width}×${variant.height}`),
			...(failed.length > 0 && { failed: failed.map(nameOfFailed) }),
			bytes: variants.reduce((sum, variant) => sum + variant.bytes, 0),
			megapixels: Number(megapixels.toFixed(3)),
			milliseconds: Math.round(performance.now() - started),
		};
	};

	let picture: ReceivedPicture | undefined;
	let end: Partial<Picture> | undefined;
	try {
		const found = await report.step('read the manifest', () => openPicture(context, data.pictureId));
		// Deleted, possibly during an attempt that failed because of it and left variants behind.
		if (!found) return finish(await forget(context, data.pictureId));
		if (found.state === 'ready') {
			await settle(context, found);
			return finish('already-ready', found.variants);
		}
		await endIfFailed(found);
		picture = found;
		requireKnown(picture.recipe.definition, picture);
		if (picture.state === 'failed') picture = await reopen(context, picture);
		// For display only; without Redis the work continues unseen.
		await context.catalog.markProcessing(picture).catch((err) => log.debug({ err }, 'index not updated'));
		const worked = picture;
		const isEachAlone = errorOfJob(job.failedReason ?? '').code === 'imaging-process-died';
		const fulfilled = await fulfil(context, worked, report, isEachAlone);
		const { made, failures, error } = fulfilled;
		const { variants } = fulfilled.end;
		const passing = [error, ...failures.map((one) => one.error)].find((one) => one && isRetried(one));
		if (passing) {
			await keepMade(context, worked, fulfilled.end).catch((err) => log.debug({ err }, 'variants not kept'));
			throw passing;
		}
		const failed = failures.map((one) => failedVariant(one, attempt));
		const known = { ...fulfilled.end, ...(failed.length > 0 && { failures: failed }) };
		const reason = error ?? failures[0]?.error;
		if (reason && !isReadyInPart(fulfilled)) {
			// An error of the picture itself explains everything. The variants of an earlier recipe stay.
			const { failures: ofVariants, variants: made, ...found } = known;
			end = { ...found, ...(!error && ofVariants && { failures: ofVariants }) };
			if (made.length > 0 && error?.class !== 'corrupt') end = { ...end, variants: made };
			throw reason;
		}
		for (const one of failed) log.warn({ ...one, attempt }, 'variant failed');
		const outcome = await report.step('record', () => record(context, worked, { state: 'ready', ...known }));
		const count = `${variants.length} variants, ${made} of them made now`;
		const missing = failed.length > 0 ? `, ${failed.length} failed` : '';
		await report.done(`${outcome === 'recorded' ? 'ready' : outcome}: ${count}${missing}`);
		log.info({ outcome, attempt, milliseconds: Math.round(performance.now() - started) }, 'picture processed');
		return finish(outcome, variants, failed, fulfilled.megapixels);
	} catch (thrown) {
		throw await fail(thrown, picture, end);
	}
}

/**
 * Can the picture be served with the variants that it has? Not if it is damaged, and not if all variants succeeded and only its analysis
 * failed.
 */
function isReadyInPart({ end, failures, error }: Fulfilled): boolean {
	return end.variants.length > 0 && failures.length > 0 && error?.class !== 'corrupt';
}

async function openPicture({ storage }: Records, id: string): Promise<ReceivedPicture | undefined> {
	const picture = await readManifest(storage, id);
	if (!picture) return undefined;
	if (isReceived(picture)) return picture;
	// The picture is not changed, because another job will fetch it.
	throw new PicpipeError(
		'invalid-job',
		'Expected a picture with an original but its original has not been fetched yet.',
	);
}

type Report = ReturnType<typeof reportTo>;

/** The state of a picture after an attempt. */
interface Fulfilled {
	readonly end: Partial<Picture> & Pick<Picture, 'variants'>;
	/** Variants made by this attempt. */
	readonly made: number;
	/** Decoded by this attempt. */
	readonly megapixels: number;
	readonly failures: readonly VariantFailure[];
	readonly error: PicpipeError | undefined;
}

/** Renders the missing variants of the recipe; stored ones are kept. */
async function fulfil(
	context: ProcessContext,
	picture: ReceivedPicture,
	report: Report,
	isEachAlone: boolean,
): Promise<Fulfilled> {
	const { definition } = picture.recipe;
	// Looked up in each attempt, so that the current logo is used, whenever the picture was accepted.
	const { assets, failures } = await findAssets(context.assets, definition);
	const isUsable = ({ name }: { readonly name: string }) => !failures.some(({ variant }) => variant === name);
	const usable = failures.length === 0 ? definition : missingRecipe(definition, (one) => !isUsable(one), false);
	const compare = () => findMissingVariants(context.storage, picture, usable ?? nothing, assets);
	// A new picture has nothing stored, so the comparison is not worth a line in the log.
	const isNew = picture.variants.length === 0;
	const missing = isNew ? await compare() : await report.step('compare with what is stored', compare);
	const work = missing.recipe && { recipe: missing.recipe, assets, isEachAlone };
	const result = work && (await makeVariants(context, picture, work, report));
	// Facts that a newer version found in the same bytes stay true.
	const facts = result?.facts ? { ...picture.facts, ...result.facts } : picture.facts;
	const analysis: Analysis = { ...result?.analysis, ...unknownPart(analysisSchema, picture.analysis) };
	const isAnalysed = missing.isAnalysed || (result?.isAnalysed ?? true);
	const failed = [...failures, ...(result ? allFailures(missing.recipe ?? nothing, result) : [])];
	const places = Object.keys(definition.variants);
	return {
		made: result?.variants.length ?? 0,
		megapixels: result?.facts ? (result.facts.width * result.facts.height * result.facts.frames) / 1e6 : 0,
		end: {
			...(facts && { facts }),
			analysis: isAnalysed && !missing.isAnalysed ? analysis : { ...picture.analysis, ...result?.analysis },
			...(isAnalysed && { analysisDigest: analysisDigest(picture.source.sha256, definition) }),
			variants: inRecipeOrder(picture, [...missing.stored, ...(result?.variants ?? [])]),
		},
		failures: failed.sort((a, b) => places.indexOf(a.variant) - places.indexOf(b.variant)),
		error: result?.error,
	};
}

const nothing: Recipe = { analyse: [], variants: {} };

/** The failures of a run, and those of variants that it did not reach. */
function allFailures(recipe: Recipe, { variants, failures, error }: MadeVariants): readonly VariantFailure[] {
	if (!error) return failures;
	const isKnown = (name: string, format: string) =>
		variants.some((one) => one.name === name && (one.format === format || format === 'auto')) ||
		failures.some((one) => one.variant === name && (one.format === undefined || one.format === format));
	const left = Object.entries(recipe.variants).flatMap(([variant, { encode }]) => {
		const formats = encode.flatMap((encoding) => Object.keys(encoding)).filter((format) => !isKnown(variant, format));
		if (formats.length === encode.length && formats.length > 0) return { variant, error };
		return formats.map((format) => ({ variant, format, error }));
	});
	return [...failures, ...left];
}

function nameOfFailed({ variant, format, code }: FailedVariant): string {
	return `${variant}${format === undefined ? '' : `.${format}`} ${code}`;
}

/** The variants of a run are in order of completion, which may differ between runs. */
function inRecipeOrder(picture: Picture, variants: readonly Variant[]): Variant[] {
	const { variants: named } = picture.recipe.definition;
	const place = ({ name, format }: Variant) => {
		const encodings = named[name]?.encode.map((encoding) => Object.keys(encoding)[0]) ?? [];
		// An encoding that the recipe does not list was chosen by `auto`.
		const encoding = encodings.includes(format) ? format : 'auto';
		return Object.keys(named).indexOf(name) * maximumEncodings + encodings.indexOf(encoding);
	};
	return [...variants].sort((a, b) => place(a) - place(b));
}
