import type { Config } from '../config/index.ts';
import type { OutgoingRules } from '../http/guard.ts';

/** The webhook settings. */
export interface WebhookSettings {
	readonly rules: OutgoingRules;
	/** Receives every event; absent unless it is configured. */
	readonly url?: string | undefined;
	/** Sign messages to `url` and to the webhook URLs of uploads; empty if none are configured. */
	readonly secrets: readonly string[];
	/** Ed25519 private keys that sign them too. */
	readonly signingKeys: readonly string[];
	/** Longest time for one attempt, seconds. */
	readonly seconds: number;
	/** Delays before the second and each further attempt, seconds. */
	readonly schedule: readonly number[];
	/** Concurrent deliveries of a worker. */
	readonly concurrency: number;
	/** How long the log and the messages that were given up are kept, seconds. */
	readonly keepSeconds: number;
	/** Deliveries to keep in the log of each endpoint. */
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
		signingKeys: config.webhookSigningKeys ?? [],
		seconds: config.webhookSeconds,
		schedule: config.webhookSchedule,
		concurrency: config.webhookConcurrency,
		keepSeconds: config.webhookKeepSeconds,
		logLength: config.webhookLog,
	};
}
