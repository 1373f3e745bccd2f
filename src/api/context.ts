import type { Redis } from 'ioredis';
import type { Config } from '../config.ts';
import type { NamedRecipe } from '../domain/recipe.ts';
import type { Admission } from '../intake/admit.ts';
import type { Logger } from '../observe/log.ts';
import type { PictureEvents } from '../queue/events.ts';

/** What the handlers work with; `app.ts` puts it together. */
export interface ApiContext extends Admission {
	readonly config: Config;
	readonly redis: Redis;
	readonly events: PictureEvents;
	/** By name; read once at start. */
	readonly recipes: ReadonlyMap<string, NamedRecipe>;
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
