import type { Response } from 'express';
import type { Redis } from 'ioredis';
import type { Caller } from '../access/caller.ts';
import type { KeyRing } from '../access/key-ring.ts';
import type { Leases } from '../access/leases.ts';
import type { Limiter } from '../access/limiter.ts';
import type { Deed } from '../access/ownership.ts';
import type { RenderUse } from '../catalog/render-use.ts';
import type { Config } from '../config/index.ts';
import type { ImageUrl } from '../delivery/dialects/image-request.ts';
import type { DeliveryParts } from '../delivery/find-or-make.ts';
import type { MemoryCache } from '../delivery/memory-cache.ts';
import { type ErrorCode, PicpipeError } from '../errors.ts';
import type { Admission } from '../intake/admit.ts';
import type { IdempotencyRecords } from '../intake/idempotency.ts';
import type { Pressure } from '../intake/pressure.ts';
import type { UnfinishedUploads } from '../intake/unfinished-uploads.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { RecipeBook } from '../pipeline/recipe/recipe-book.ts';
import type { Attempts } from '../queue/attempts.ts';
import type { Endings } from '../queue/events.ts';
import type { Webhooks } from '../webhooks/publish.ts';
import type { UploadLocks } from './tus/upload-locks.ts';

/** The dependencies of the handlers; `roles/api.ts` creates them. */
export interface ApiContext extends Admission {
	readonly config: Config;
	readonly redis: Redis;
	readonly events: Endings;
	readonly webhooks: Webhooks;
	readonly recipeBook: RecipeBook;
	readonly log: Logger;
	/** The parts that make images on demand, and the memory cache of images. */
	readonly delivery: {
		readonly parts: DeliveryParts;
		readonly memory: MemoryCache<ImageUrl>;
		readonly renderUse: Pick<RenderUse, 'forget'>;
	};
	/** Counters of this process. */
	readonly metrics: Metrics;
	/** Counters of all workers. */
	readonly attemptCounts: Attempts;
	/** Aborts when the process is stopping. */
	readonly stopping: AbortSignal;
	readonly keys: KeyRing;
	readonly limiter: Limiter;
	readonly pressure: Pressure;
	/** Outcomes of requests with an idempotency key. */
	readonly idempotency: IdempotencyRecords;
	/** Leases of requests in progress, over all API processes. */
	readonly underWay: Leases;
	readonly uploads: {
		readonly locks: UploadLocks;
		readonly unfinished: UnfinishedUploads;
		/** Outcomes of complete uploads, kept for as long as the uploads. */
		readonly outcomes: IdempotencyRecords;
	};
}

/** The sender of a request behind a guard. @throws PicpipeError `internal` on a route without one */
export function callerOf({ locals }: Response): Caller {
	if (!locals.caller) throw new PicpipeError('internal', 'A route without a guard has no caller.');
	return locals.caller;
}

/** What the route does to the resource of its URL. @throws as `callerOf` */
export function deedOf({ locals }: Response): Deed {
	if (!locals.deed) throw new PicpipeError('internal', 'A route without a guard has no deed.');
	return locals.deed;
}

declare global {
	namespace Express {
		interface Locals {
			/** Part of every response and log line of the request. */
			requestId: string;
			log: Logger;
			/** Set by the guard of the route; undefined on routes that need no key. */
			caller?: Caller;
			/** What the route does to the resource of its URL; set by the guard too. */
			deed?: Deed;
			/** Forgets the request's body, and gives up its place in memory; set while it has one. */
			leavePlace?: (() => void) | undefined;
			/** Code of the problem in the response. */
			problem?: ErrorCode;
			/** Codes of the files and URLs that were refused individually. */
			refused?: readonly ErrorCode[];
			/** The request comes from a page of another web site that is allowed to call. */
			isForeignAllowed?: boolean;
		}
	}
}
