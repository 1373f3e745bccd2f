import type { Job } from 'bullmq';
import { folderOf, readManifest } from '../catalog/manifest.ts';
import type { RenderUse } from '../catalog/render-use.ts';
import { isReceived, type ReceivedPicture } from '../domain/picture.ts';
import type { Recipe } from '../domain/recipe.ts';
import { PicpipeError } from '../errors.ts';
import type { VariantOutput } from '../imaging/scheduler.ts';
import { type RenderJob, renderJobSchema } from '../queue/jobs.ts';
import { manifestKey } from '../storage/keys.ts';
import { beginAttempt } from './attempt.ts';
import { requireKnown } from './leave.ts';
import type { ProcessContext } from './process-picture.ts';
import { forget } from './record.ts';
import { findReusableVariant, type ReusableVariant } from './reusable-variant.ts';

export interface RenderContext extends ProcessContext {
	/** Tracks stored renders; not tracked if absent. */
	readonly renderUse?: RenderUse | undefined;
	/** The source of renders. */
	readonly renderFrom: 'original' | 'variants';
}

/** Result of a completed render; Arena shows it. */
export interface RenderResult {
	readonly key: string;
	readonly size: string;
	readonly bytes: number;
	readonly milliseconds: number;
}

/**
 * Makes the image of a URL: original → imaging process → storage. The manifest is not changed. Doing it twice writes the same object.
 *
 * @throws an error for BullMQ; CannotServe before anything was done
 */
export async function renderPicture(job: Job<unknown>, context: RenderContext): Promise<RenderResult> {
	const started = performance.now();
	const { data, log, report, succeed, fail } = beginAttempt(job, renderJobSchema, context);
	try {
		requireKnown(data.recipe);
		const picture = await openOriginal(context, data.pictureId);
		const made = await make(context, picture, data, report);
		// Its bytes are durable; its name need not be, because a render that is lost in a power cut is made again.
		const put = () => context.storage.put(data.key, made.data, { isFollowed: true });
		await report.step(`store ${data.key}`, put, made.data.length);
		// Deleted in the meantime: nothing of it may stay.
		if (!(await context.storage.stat(manifestKey(folderOf(picture.id))))) {
			await forget(context, picture.id);
			throw new PicpipeError('picture-not-found');
		}
		const milliseconds = Math.round(performance.now() - started);
		// A request waits for the end of the job, so both are done at once.
		await Promise.all([
			context.renderUse?.add(data.key, made.data.length),
			report.done(`rendered ${made.format} ${made.width}×${made.height} in ${milliseconds} ms`),
		]);
		succeed(true);
		log.info({ key: data.key, bytes: made.data.length, milliseconds }, 'picture rendered');
		return { key: data.key, size: `${made.width}×${made.height}`, bytes: made.data.length, milliseconds };
	} catch (thrown) {
		throw await fail(thrown, undefined);
	}
}

async function openOriginal(context: RenderContext, id: string): Promise<ReceivedPicture> {
	const picture = await readManifest(context.storage, id);
	if (!picture) throw new PicpipeError('picture-not-found');
	if (!isReceived(picture)) throw new PicpipeError('not-fetched');
	return picture;
}

/** @throws PicpipeError `asset-changed` if an asset was replaced since the URL was read: the render then has another key */
async function make(
	context: RenderContext,
	picture: ReceivedPicture,
	{ recipe, digest }: RenderJob,
	report: ReturnType<typeof beginAttempt>['report'],
): Promise<VariantOutput> {
	// A cached original in memory is better than any variant, and faster.
	const takesVariants = context.renderFrom === 'variants' && !context.pool.hasCached(picture.source);
	const reusable = takesVariants ? findReusableVariant(picture, recipe) : undefined;
	if (reusable) {
		try {
			return await run(context, reusable.source, reusable.recipe, report);
		} catch (error) {
			// The variant was replaced since the manifest was read; an original never is.
			if (!(error instanceof PicpipeError) || !/^original-(missing|changed)$/.test(error.code)) throw error;
		}
	}
	const output = await run(context, picture.source, recipe, report);
	if (output.digest !== digest) throw new PicpipeError('asset-changed');
	return output;
}

async function run(
	context: RenderContext,
	{ key, sha256, bytes }: ReusableVariant['source'],
	recipe: Recipe,
	report: ReturnType<typeof beginAttempt>['report'],
): Promise<VariantOutput> {
	const assets = await context.assets.find(recipe);
	const made: VariantOutput[] = [];
	const { failures } = await context.pool.run(
		{ key, sha256, bytes, recipe, assets, isCached: true },
		{ onStep: (event) => report.made(event), onVariant: (output) => made.push(output) },
		{ isUrgent: true },
	);
	if (failures[0]) throw failures[0].error;
	const [output] = made;
	if (!output) throw new PicpipeError('internal', 'The render produced no output.');
	return output;
}
