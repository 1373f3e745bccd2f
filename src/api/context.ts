import type { Redis } from 'ioredis';
import type { Config } from '../config.ts';
import type { Admission } from '../intake/admit.ts';
import type { Logger } from '../observe/log.ts';
import type { RecipeBook } from '../pipeline/recipe-book.ts';
import type { PictureEvents } from '../queue/events.ts';

/** What the handlers work with; `app.ts` puts it together. */
export interface ApiContext extends Admission {
	readonly config: Config;
	readonly redis: Redis;
	readonly events: PictureEvents;
	readonly recipeBook: RecipeBook;
	readonly log: Logger;
}

declare global {
	namespace Express {
		interface Locals {
			/** Stands in every answer and log line of a request. */
			requestId: string;
			log: Logger;
		}
	}
}
