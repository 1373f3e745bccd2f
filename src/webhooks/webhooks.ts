import type { Redis } from 'ioredis';
import type { Config } from '../config.ts';
import type { Logger } from '../observe/log.ts';
import type { Queues } from '../queue/queues.ts';
import type { Storage } from '../storage/storage.ts';
import { type Announcer, openAnnouncer, type Post } from './announce.ts';
import { type DeliveryLog, openDeliveryLog } from './log.ts';
import { webhookSettingsOf } from './settings.ts';
import { openTargets } from './targets.ts';

/** Everything that belongs together about webhooks, for a process that tells, delivers or shows. */
export interface Webhooks extends Post {
	readonly announcer: Announcer;
	readonly deliveries: DeliveryLog;
}

export function openWebhooks(
	config: Config,
	{ redis, ...on }: { readonly redis: Redis; readonly storage: Storage; readonly queues: Queues; readonly log: Logger },
): Webhooks {
	const settings = webhookSettingsOf(config);
	const post = { ...on, settings, targets: openTargets(on.storage, settings, on.log) };
	const deliveries = openDeliveryLog(redis, { prefix: config.redisPrefix, ...settings });
	return { ...post, announcer: openAnnouncer(post), deliveries };
}
