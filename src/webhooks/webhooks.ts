import type { Redis } from 'ioredis';
import type { Config } from '../config/index.ts';
import type { Logger } from '../observe/log.ts';
import type { Queues } from '../queue/queues.ts';
import type { Storage } from '../storage/storage.ts';
import { type DeliveryLog, openDeliveryLog } from './log.ts';
import { openPublisher, type PublishDeps, type Publisher } from './publish.ts';
import { webhookSettingsOf } from './settings.ts';
import { openTargets } from './targets.ts';

/** The webhook services of a process that publishes, delivers or shows webhooks. */
export interface Webhooks extends PublishDeps {
	readonly publisher: Publisher;
	readonly deliveries: DeliveryLog;
}

export function openWebhooks(
	config: Config,
	{ redis, ...on }: { readonly redis: Redis; readonly storage: Storage; readonly queues: Queues; readonly log: Logger },
): Webhooks {
	const settings = webhookSettingsOf(config);
	const deps = { ...on, settings, targets: openTargets(on.storage, settings, on.log) };
	const deliveries = openDeliveryLog(redis, { prefix: config.redisPrefix, ...settings });
	return { ...deps, publisher: openPublisher(deps), deliveries };
}
