import { setTimeout as sleep } from 'node:timers/promises';
import { folderOf, readManifest } from '../catalog/manifest.ts';
import {
	isFailing,
	isFinished,
	maximumPriority,
	type Picture,
	parsePicture,
	pictureStates,
} from '../domain/picture.ts';
import { inlineRecipeName, type NamedRecipe } from '../domain/recipe.ts';
import { type ErrorCode, type FailureClass, isQueueUnavailable, PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import { parseRecipe } from '../pipeline/recipe/parse-recipe.ts';
import { unknownParts } from '../pipeline/recipe/unknown-parts.ts';
import type { Queues } from '../queue/queues.ts';
import { manifestId, manifestKey, picturesFolder } from '../storage/keys.ts';
import { readObject } from '../storage/storage.ts';
import { type Admission, admitAgain } from './admit.ts';
import { isUpToDate } from './missing-variants.ts';

export interface ReprocessOptions {
	/** The current recipes; pictures are compared with their digests. */
	readonly recipes: ReadonlyMap<string, NamedRecipe>;
	/** Only pictures of this recipe. */
	readonly recipe?: string | undefined;
	/** Only pictures whose recipe has changed. This is decided without reading their files. */
	readonly stale?: boolean | undefined;
	/** Make every variant again, including the stored ones. */
	readonly force?: boolean | undefined;
	/** Most jobs that may wait while workers are running; 10,000 by default. */
	readonly maximumBacklog?: number;
	readonly log: Logger;
	/** @param total number of pictures in the index */
	onProgress?(counts: Readonly<ReprocessCounts>, total: number): void;
}

/** Number of pictures by outcome. */
export interface ReprocessCounts {
	/** Pictures found so far. */
	pictures: number;
	queued: number;
	/** Match their recipe. */
	upToDate: number;
	/** Already queued for the same work. */
	waiting: number;
	/** Use a recipe other than the requested one. */
	others: number;
	/** Deleted at the same moment. */
	deleted: number;
	/**
	 * Not queued: a worker is processing them, their recipe no longer exists or belongs to a newer version, or their manifest is unreadable.
	 * Each one is logged.
	 */
	left: number;
}

/** Pictures checked at the same time. */
const parallel = 8;
/**
 * A job takes 1 to 2 kB of Redis memory and a marker that every sweep reads, so a million jobs are not queued at once. Without workers the
 * backlog never shrinks, so there is no waiting.
 */
const defaultBacklog = 10_000;
/** Most pictures to queue between two checks of the backlog. */
const longestStride = 200;
/** Milliseconds between two checks while the backlog is too long. */
const backlogPause = 500;

/**
 * Queues every picture with the current version of its recipe, behind all other work. Reads the manifests one by one and keeps none in
 * memory. After an interruption it can be run again: it skips pictures that are queued or done.
 *
 * @throws PicpipeError `queue-unavailable`
 */
export async function reprocess(deps: Admission, options: ReprocessOptions): Promise<ReprocessCounts> {
	const counts: ReprocessCounts = {
		pictures: 0,
		queued: 0,
		upToDate: 0,
		waiting: 0,
		others: 0,
		deleted: 0,
		left: 0,
	};
	const batch: Promise<void>[] = [];
	const maximumBacklog = options.maximumBacklog ?? defaultBacklog;
	const stride = Math.min(longestStride, maximumBacklog);
	let queuedAtLastLook = 0;
	const states = await deps.catalog.countStates();
	const total = pictureStates.reduce((sum, state) => sum + states[state], 0);
	const tell = () => options.onProgress?.(counts, Math.max(total, counts.pictures));
	tell();
	for await (const key of deps.storage.list(picturesFolder)) {
		const id = manifestId(key);
		if (id === undefined || key !== manifestKey(folderOf(id))) continue;
		batch.push(
			lookAt(deps, key, options).then((outcome) => {
				counts.pictures++;
				counts[outcome]++;
			}),
		);
		if (batch.length < parallel) continue;
		await Promise.all(batch.splice(0));
		tell();
		if (counts.queued - queuedAtLastLook < stride) continue;
		queuedAtLastLook = counts.queued;
		await waitForRoom(deps.queues, maximumBacklog, tell);
	}
	await Promise.all(batch);
	return counts;
}

type Outcome = Exclude<keyof ReprocessCounts, 'pictures'>;

async function lookAt(deps: Admission, key: string, options: ReprocessOptions): Promise<Outcome> {
	try {
		const manifest = await readObject(deps.storage, key);
		return manifest ? await queueAgain(deps, parsePicture(manifest.toString()), options) : 'deleted';
	} catch (error) {
		if (isQueueUnavailable(error)) throw error;
		if (error instanceof PicpipeError && error.code === 'picture-not-found') return 'deleted';
		options.log.warn({ err: error, key }, 'picture not queued');
		return 'left';
	}
}

async function queueAgain(deps: Admission, picture: Picture, options: ReprocessOptions): Promise<Outcome> {
	if (options.recipe !== undefined && picture.recipe.name !== options.recipe) return 'others';
	const recipe = recipeAsOfNow(options.recipes, picture);
	if (!recipe) {
		options.log.warn(
			{ pictureId: picture.id, recipe: picture.recipe.name },
			'recipe no longer exists; picture skipped',
		);
		return 'left';
	}
	const unknown = unknownParts(recipe.definition);
	if (unknown.length > 0) {
		// The picture may already match this recipe, but only a newer version can tell.
		options.log.warn({ pictureId: picture.id, unknown }, 'recipe accepted by a newer version; picture skipped');
		return 'left';
	}
	const isStale = picture.recipe.digest !== recipe.digest;
	if (!isStale && options.stale) return 'upToDate';
	if (!isStale && !isFinished(picture.state) && (picture.force || !options.force)) return 'waiting';
	if (!options.force && (await isUpToDate(deps, picture, recipe))) return 'upToDate';
	await admitAgain(deps, picture, 'reprocess', options.log, {
		recipe,
		force: options.force,
		priority: maximumPriority,
	});
	return 'queued';
}

async function waitForRoom(queues: Queues, maximum: number, onLook: () => void): Promise<void> {
	const { pictures } = queues.byName;
	while ((await queues.countWaiting('pictures')).waiting > maximum) {
		if ((await pictures.getWorkersCount()) === 0) return;
		await sleep(backlogPause);
		onLook();
	}
}

/** The current definition of the recipe that a picture was last made with; undefined if no recipe of that name exists any more. */
export function recipeAsOfNow(recipes: ReadonlyMap<string, NamedRecipe>, { recipe }: Picture): NamedRecipe | undefined {
	// An inline recipe exists only in its manifest, and its digest may be that of an older engine.
	// A recipe of a newer version is kept as accepted: only a newer version can interpret it.
	if (recipe.name === inlineRecipeName)
		return unknownParts(recipe.definition).length > 0 ? recipe : parseRecipe(inlineRecipeName, recipe.definition);
	return recipes.get(recipe.name);
}

export interface RetryFailures {
	/** Only pictures whose failure has this class, and this code. */
	readonly class?: FailureClass | undefined;
	readonly code?: ErrorCode | undefined;
	/** Most pictures to queue. */
	readonly limit: number;
}

/** Number of failed pictures by outcome. */
export interface RetryCounts {
	queued: number;
	/** Deleted or queued by another caller in the meantime. */
	passed: number;
	/** Not queued: their job is running, or their manifest is unreadable. Each one is logged. */
	left: number;
	/** There may be more failed pictures. */
	more: boolean;
}

/** Pictures read from the index at a time. */
const pageLength = 100;

/**
 * Queues failed pictures again, the newest first, behind all other work.
 *
 * @throws PicpipeError `queue-unavailable`
 */
export async function retryFailures(deps: Admission, wanted: RetryFailures, log: Logger): Promise<RetryCounts> {
	const { limit, ...group } = wanted;
	const counts: RetryCounts = { queued: 0, passed: 0, left: 0, more: false };
	for (let before: string | undefined; ; ) {
		const query = { failures: true, ...group, before, limit: Math.min(pageLength, limit - counts.queued) } as const;
		const { pictures, next } = await deps.catalog.list(query);
		for (let at = 0; at < pictures.length; at += parallel) {
			const outcomes = await Promise.all(pictures.slice(at, at + parallel).map((one) => retryOne(deps, one, log)));
			for (const outcome of outcomes) counts[outcome]++;
		}
		if (next === undefined) return counts;
		if (counts.queued >= limit) return { ...counts, more: true };
		before = next;
	}
}

async function retryOne(
	deps: Admission,
	{ id }: Pick<Picture, 'id'>,
	log: Logger,
): Promise<'queued' | 'passed' | 'left'> {
	try {
		// The index may lag behind.
		const picture = await readManifest(deps.storage, id);
		if (!picture || !isFailing(picture)) return 'passed';
		await admitAgain(deps, picture, 'retry', log, { priority: maximumPriority });
		return 'queued';
	} catch (error) {
		if (isQueueUnavailable(error)) throw error;
		if (error instanceof PicpipeError && error.code === 'picture-not-found') return 'passed';
		log.warn({ err: error, pictureId: id }, 'failed picture not queued');
		return 'left';
	}
}
