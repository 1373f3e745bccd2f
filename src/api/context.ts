import type { Response } from 'express';
import type { Redis } from 'ioredis';
import type { Caller } from '../access/caller.ts';
import type { KeyRing } from '../access/key-ring.ts';
import type { Leases } from '../access/leases.ts';
import type { Limiter } from '../access/limiter.ts';
import type { RenderUse } from '../catalog/render-use.ts';
import type { Config } from '../config/index.ts';
import type { ImageUrl } from '../delivery/dialects/image-request.ts';
import type { DeliveryParts } from '../delivery/find-or-make.ts';
import type { MemoryCache } from '../delivery/memory-cache.ts';
import { type ErrorCode, PicpipeError } from '../errors.ts';
import type { Admission } from '../intake/admit.ts';
import type { IdempotencyRecords } from '../intake/idempotency.ts';
import type { Pressure } from '../intake/pressure.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { RecipeBook } from '../pipeline/recipe/recipe-book.ts';
import type { Attempts } from '../queue/attempts.ts';
import type { Endings } from '../queue/events.ts';
import type { Webhooks } from '../webhooks/webhooks.ts';
import type { UploadLocks } from './tus/upload-locks.ts';

/** What the handlers work with; `app.ts` puts it together. */
export interface ApiContext extends Admission {
	readonly config: Config;
	readonly redis: Redis;
	readonly events: Endings;
	readonly webhooks: Webhooks;
	readonly recipeBook: RecipeBook;
	readonly log: Logger;
	/** What pictures are made of on demand, and what was a moment ago. */
	readonly delivery: {
		readonly parts: DeliveryParts;
		readonly memory: MemoryCache<ImageUrl>;
		readonly renderUse: Pick<RenderUse, 'forget'>;
	};
	/** What this process counts about itself. */
	readonly metrics: Metrics;
	/** What all workers count. */
	readonly attemptCounts: Attempts;
	/** Aborted when the process was told to stop. */
	readonly stopping: AbortSignal;
	readonly keys: KeyRing;
	readonly limiter: Limiter;
	readonly pressure: Pressure;
	/** What became of requests with an idempotency key. */
	readonly idempotency: IdempotencyRecords;
	/** Which of those are under way, over all apis. */
	readonly underWay: Leases;
	readonly uploads: {
		readonly locks: UploadLocks;
		/** What became of uploads that are complete; kept for as long as the uploads are. */
		readonly outcomes: IdempotencyRecords;
	};
}

/** Who makes the request, behind a guard. @throws PicpipeError `internal` where there was none */
export function callerOf({ locals }: Response): Caller {
	if (!locals.caller) throw new PicpipeError('internal', 'The caller of a route without a guard was asked for.');
	return locals.caller;
}

declare global {
	namespace Express {
		interface Locals {
			/** Stands in every answer and log line of a request. */
			requestId: string;
			log: Logger;
			/** Who it is, once the guard of a route has found out; undefined on routes that need no key. */
			caller?: Caller;
			/** The code of the problem that was the answer. */
			problem?: ErrorCode;
			/** Of each file or address that was refused by itself. */
			refused?: readonly ErrorCode[];
			/** Comes from a page of another web site that may call. */
			isForeignAllowed?: boolean;
		}
	}
}
