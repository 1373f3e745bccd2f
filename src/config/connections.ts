import { integer, type Kind, setting } from './kinds.ts';

/** Space on a disk: an amount, or a share of the whole. */
export type DiskSpace = { readonly bytes: number } | { readonly percent: number };

const byteUnits: Readonly<Record<string, number>> = { '': 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

const diskSpace: Kind<DiskSpace> = {
	expected: 'bytes such as 500MB or 2GB, or a share of the disk such as 5%; 0 for no limit',
	parse: (value) => {
		const [, digits, unit = ''] = /^(\d{1,15}(?:\.\d{1,3})?) ?(%|[kMGT]B|)$/.exec(value) ?? [];
		if (digits === undefined) return undefined;
		if (unit !== '%') return { bytes: Number(digits) * (byteUnits[unit] ?? 1) };
		return Number(digits) < 100 ? { percent: Number(digits) } : undefined;
	},
};

/** A whole number, or `unlimited`, which is infinity. */
function countOrUnlimited(maximum: number, unit: string): Kind<number> {
	const count = integer(1, maximum, unit);
	return {
		expected: `${count.expected}, or unlimited`,
		parse: (value) => (value === 'unlimited' ? Number.POSITIVE_INFINITY : count.parse(value)),
	};
}

/** When uploads are refused, and when connections are closed. */
export const connections = {
	title: 'Back-pressure and slow connections',
	settings: {
		maxQueue: setting(
			'PICPIPE_MAX_QUEUE',
			countOrUnlimited(100_000_000, 'jobs'),
			100_000,
			'Number of waiting jobs from which uploads are refused with 503.',
		),
		minDiskFree: setting(
			'PICPIPE_MIN_DISK_FREE',
			diskSpace,
			'1%',
			'Free space on the storage disk below which uploads are refused with 503.',
		),
		maxUploads: setting(
			'PICPIPE_MAX_UPLOADS',
			integer(1, 100_000, 'uploads'),
			256,
			'Uploads that one API process receives at the same time. More are refused with 503.',
		),
		jsonMegabytes: setting(
			'PICPIPE_JSON_MEGABYTES',
			integer(1, 100_000, 'megabytes'),
			16,
			'Total size of the JSON bodies that one API process handles at the same time. More are refused with 503.',
		),
		headersSeconds: setting(
			'PICPIPE_HEADERS_SECONDS',
			integer(1, 3_600, 'seconds'),
			15,
			'Maximum time until the headers of a request have arrived.',
		),
		minUploadSpeed: setting(
			'PICPIPE_MIN_UPLOAD_SPEED',
			integer(0, 1_000_000_000, 'bytes a second; 0 for none'),
			1_000,
			'Minimum speed of a request body, averaged over `PICPIPE_SLOW_SECONDS`. Only time spent waiting for the client counts.',
		),
		slowSeconds: setting(
			'PICPIPE_SLOW_SECONDS',
			integer(1, 3_600, 'seconds'),
			20,
			'Period over which `PICPIPE_MIN_UPLOAD_SPEED` is measured. A stalled body ends after it.',
		),
		keepAliveSeconds: setting(
			'PICPIPE_KEEP_ALIVE_SECONDS',
			integer(1, 3_600, 'seconds'),
			65,
			'How long an unused connection stays open. Set it above the keep-alive of your load balancer (usually 60).',
		),
		idleSeconds: setting(
			'PICPIPE_IDLE_SECONDS',
			integer(1, 86_400, 'seconds'),
			180,
			'Idle time after which a connection is closed. Keep it above the 120 s that `Prefer: wait` may ask for.',
		),
	},
	notes: [
		`Queue length and free disk space are measured once a second. While Redis is unreachable the queue length is unknown and does not limit
uploads. A connection whose response is not read may stay open for up to twice \`PICPIPE_IDLE_SECONDS\`.`,
	],
} as const;
