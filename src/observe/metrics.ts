import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type ErrorCode, errorTable } from '../errors.ts';

interface MetricRow {
	readonly type: 'counter' | 'gauge' | 'histogram';
	readonly labels: readonly string[];
	/** One sentence for `# HELP` and the reference page. */
	readonly help: string;
	/** `process`: of this process. `redis`: of the whole installation; absent while Redis is away. */
	readonly of: 'process' | 'redis';
}

/** picpipe's own metrics, besides the process metrics of prom-client. Every label has few values, all known in advance. */
export const metricTable = {
	picpipe_redis_up: { type: 'gauge', labels: [], of: 'process', help: 'Whether Redis has answered, 1 or 0.' },
	picpipe_http_requests_total: {
		type: 'counter',
		labels: ['method', 'route', 'status'],
		of: 'process',
		help: 'Requests by route, "none" where there is none, and status, "aborted" when the client left before there was one.',
	},
	picpipe_http_request_duration_seconds: {
		type: 'histogram',
		labels: ['method', 'route'],
		of: 'process',
		help: 'Time until a request was over, that of its body and of Prefer: wait with it.',
	},
	picpipe_upload_received_bytes_total: {
		type: 'counter',
		labels: [],
		of: 'process',
		help: 'Bytes of files that came with requests, those of files that were refused with them.',
	},
	picpipe_uploads_refused_total: {
		type: 'counter',
		labels: ['class', 'code'],
		of: 'process',
		help: 'Files, URLs and whole requests for uploads that were refused.',
	},
	picpipe_index_complete: {
		type: 'gauge',
		labels: [],
		of: 'redis',
		help: 'Whether the index knows every picture; 0 from a loss of data in Redis until the index has been rebuilt.',
	},
	picpipe_index_rebuild_pictures: {
		type: 'gauge',
		labels: [],
		of: 'redis',
		help: 'Pictures that the current rebuild of the index has indexed; absent while there is no rebuild.',
	},
	picpipe_index_rebuild_days: {
		type: 'gauge',
		labels: ['state'],
		of: 'redis',
		help: 'Days of uploads that the current rebuild of the index has done, and has left.',
	},
	picpipe_pictures: { type: 'gauge', labels: ['state'], of: 'redis', help: 'Pictures in the index.' },
	picpipe_failed_pictures: {
		type: 'gauge',
		labels: ['class', 'code'],
		of: 'redis',
		help: 'Pictures in the index that failed or lack variants, by why.',
	},
	picpipe_incomplete_pictures: {
		type: 'gauge',
		labels: [],
		of: 'redis',
		help: 'Ready pictures in the index that lack variants.',
	},
	picpipe_jobs: { type: 'gauge', labels: ['queue', 'state'], of: 'redis', help: 'Jobs in a queue.' },
	picpipe_queue_paused: { type: 'gauge', labels: ['queue'], of: 'redis', help: 'Whether a queue is paused, 1 or 0.' },
	picpipe_queue_workers: { type: 'gauge', labels: ['queue'], of: 'redis', help: 'Workers that take from a queue.' },
	picpipe_attempts_total: {
		type: 'counter',
		labels: ['queue', 'outcome', 'class', 'code'],
		of: 'redis',
		help: 'Attempts of all workers that have ended; class and code are empty for those that have not failed.',
	},
} as const satisfies Record<`picpipe_${string}`, MetricRow>;

type MetricTable = typeof metricTable;
/** A metric that is read from Redis. */
type SharedMetric = {
	[Name in keyof MetricTable]: MetricTable[Name]['of'] extends 'redis' ? Name : never;
}[keyof MetricTable];

export interface Sample {
	readonly labels: Readonly<Record<string, string>>;
	readonly value: number;
}
/** A snapshot of the metrics in Redis. */
export type SharedSamples = Readonly<Record<SharedMetric, readonly Sample[]>>;

/** A completed request. */
interface MeasuredRequest {
	readonly method: string;
	/** The route pattern, never the URL itself. */
	readonly route: string;
	readonly status: string;
	readonly seconds: number;
}

/** The metrics of an API process. */
export interface Metrics {
	request(request: MeasuredRequest): void;
	/** Counts a refused file, URL or upload request. */
	refused(code: ErrorCode): void;
	/** Counts received bytes of a file. */
	received(bytes: number): void;
	readonly contentType: string;
	/**
	 * All metrics in the Prometheus text format, version 0.0.4.
	 *
	 * @param shared undefined while Redis is away
	 */
	render(shared: SharedSamples | undefined): Promise<string>;
}

/** Upper bounds of the buckets of request times, seconds: from a response out of memory to a large upload. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function openMetrics(): Metrics {
	const registry = new Registry();
	const registers = [registry];
	const about = <Name extends keyof MetricTable>(name: Name) => {
		const { help, labels } = metricTable[name];
		return { name, help, labelNames: [...labels], registers };
	};
	const requests = new Counter(about('picpipe_http_requests_total'));
	const durations = new Histogram({ ...about('picpipe_http_request_duration_seconds'), buckets });
	const bytes = new Counter(about('picpipe_upload_received_bytes_total'));
	const refusals = new Counter(about('picpipe_uploads_refused_total'));
	const redisUp = new Gauge(about('picpipe_redis_up'));
	return {
		request({ method, route, status, seconds }) {
			requests.inc({ method, route, status });
			durations.observe({ method, route }, seconds);
		},
		refused: (code) => refusals.inc({ class: errorTable[code].class, code }),
		received: (count) => bytes.inc(count),
		contentType: registry.contentType,
		async render(shared) {
			redisUp.set(shared ? 1 : 0);
			const parts = [registry, ofProcess(), ...(shared ? [ofRedis(shared)] : [])];
			return (await Promise.all(parts.map((part) => part.metrics()))).join('\n');
		},
	};
}

let processRegistry: Registry | undefined;

/**
 * Memory, CPU, event loop and garbage collection. One registry for the process: these collectors cannot be stopped, and several API servers
 * can share a process.
 */
function ofProcess(): Registry {
	if (processRegistry) return processRegistry;
	processRegistry = new Registry();
	collectDefaultMetrics({ register: processRegistry });
	return processRegistry;
}

/** Created for each request, so that values that are gone from Redis disappear. */
function ofRedis(shared: SharedSamples): Registry {
	const registry = new Registry();
	for (const [name, samples] of Object.entries(shared) as [SharedMetric, readonly Sample[]][]) {
		const { type, help, labels } = metricTable[name];
		const about = { name, help, labelNames: [...labels], registers: [registry] };
		if (type === 'counter') {
			const counter = new Counter(about);
			for (const sample of samples) counter.inc(sample.labels, sample.value);
		} else {
			const gauge = new Gauge(about);
			for (const sample of samples) gauge.set(sample.labels, sample.value);
		}
	}
	return registry;
}
