import type { Config } from '../config/index.ts';
import type { OutgoingRules } from '../http/guard.ts';

/** What the settings say about webhooks. */
export interface WebhookSettings {
	readonly rules: OutgoingRules;
	/** Told of everything; absent unless it is set. */
	readonly url?: string | undefined;
	/** Sign what goes to `url` and to the URLs that uploads name; empty when there are none. */
	readonly secrets: readonly string[];
	/** Longest time for one attempt. */
	readonly seconds: number;
	/** Delays before the second and every further attempt, seconds. */
	readonly schedule: readonly number[];
	/** Deliveries of a worker at the same time. */
	readonly concurrency: number;
	/** How long what could not be delivered is kept, and the log; seconds. */
	readonly keepSeconds: number;
	/** Deliveries in the log of each endpoint. */
	readonly logLength: number;
}

export function webhookSettingsOf(config: Config): WebhookSettings {
	return {
		rules: {
			schemes: config.webhookSchemes,
			hosts: config.webhookHosts,
			ports: config.webhookPorts,
			networks: config.webhookNetworks ?? [],
			settings: 'PICPIPE_WEBHOOK',
		},
		url: config.webhookUrl,
		secrets: config.webhookSecrets ?? [],
		seconds: config.webhookSeconds,
		schedule: config.webhookSchedule,
		concurrency: config.webhookConcurrency,
		keepSeconds: config.webhookKeepSeconds,
		logLength: config.webhookLog,
	};
}
