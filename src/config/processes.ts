import { choice, integer, matching, optional, secret, setting } from './kinds.ts';

/** Retries, shutdown and logs. */
export const processes = {
	title: 'Retries, shutdown and logs',
	settings: {
		attempts: setting(
			'PICPIPE_ATTEMPTS',
			integer(1, 100, 'attempts'),
			5,
			'Maximum attempts at a picture whose failure may be temporary.',
		),
		retryDelay: setting(
			'PICPIPE_RETRY_DELAY',
			integer(1, 3_600_000, 'ms'),
			2_000,
			'Delay before the second attempt. It doubles with each further attempt, with jitter.',
		),
		sweepSeconds: setting(
			'PICPIPE_SWEEP_SECONDS',
			integer(1, 86_400, 'seconds'),
			60,
			'How often workers look for accepted pictures without a job, and queue them again.',
		),
		stopSeconds: setting(
			'PICPIPE_STOP_SECONDS',
			integer(1, 3_600, 'seconds'),
			30,
			'Time that each process gets to finish its work when it is stopped.',
		),
		drainSeconds: setting(
			'PICPIPE_DRAIN_SECONDS',
			integer(0, 600, 'seconds'),
			0,
			'How long a stopping API accepts requests while `/readyz` reports 503. Part of `PICPIPE_STOP_SECONDS`.',
		),
		logLevel: setting(
			'PICPIPE_LOG_LEVEL',
			choice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
			'info',
			'Minimum level that is logged.',
		),
	},
	notes: [
		`Set \`PICPIPE_DRAIN_SECONDS\` where a load balancer polls \`/readyz\`: it then has time to send requests elsewhere before connections are
refused.`,
	],
} as const;

/** The client of the command line, which may run on another machine. */
export const commandLine = {
	title: 'Uploads from the command line',
	settings: {
		apiUrl: setting(
			'PICPIPE_URL',
			matching(/^https?:\/\/[^\s/]/, 'a URL such as https://pictures.example.org'),
			'http://127.0.0.1:3000',
			'URL of the API that `picpipe upload` sends pictures to.',
		),
		apiKey: secret(
			optional(
				'PICPIPE_KEY',
				matching(/^\S+$/, 'an API key, or an upload token'),
				'API key or upload token of `picpipe upload`. Other commands ignore it.',
			),
		),
	},
} as const;
