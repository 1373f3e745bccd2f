import { settings } from '../../src/config/index.ts';
import {
	deliverJobSchema,
	fetchJobSchema,
	processJobSchema,
	type QueueName,
	queueNames,
	renderJobSchema,
	sweepJobSchema,
} from '../../src/queue/jobs.ts';
import { keepCompleted, keepRenders, keepSweeps } from '../../src/queue/queues.ts';
import { code, fieldsTable, page, table } from './markdown.ts';

/** The purpose of each queue. */
const purposes: Readonly<Record<QueueName, string>> = {
	pictures: 'One `process` job per picture: renders all variants of its recipe.',
	renders: 'One `render` job per variant requested by URL that is not stored yet.',
	fetches:
		'One `fetch` job per picture uploaded as a URL: fetches the original, then queues the picture in `pictures`.',
	webhooks: 'One `deliver` job per message and endpoint: delivers the [webhook](webhooks.md).',
	upkeep: 'One `sweep` job at the start and then on a schedule: queues accepted pictures whose jobs were lost.',
};

export function queuesPage(): string {
	return page(
		'Queues and jobs',
		'src/queue/jobs.ts and src/queue/queues.ts',
		`The queues are BullMQ queues in Redis; their keys begin with \`PICPIPE_REDIS_PREFIX\`. Arena shows them, and the
[API](http.md#get-v1queues) pauses, drains and cleans them. No picture is lost with Redis: the storage is authoritative, and the sweep fills the queues again.`,
		table(
			['Queue', 'Purpose'],
			queueNames.map((name) => [code(name), purposes[name]]),
		),
		`## The backlog

The jobs of \`pictures\` and \`fetches\` wait in a backlog in Redis, and move to the queue when workers have room for them. Counts of waiting jobs include the
backlog, in the [API](http.md#get-v1queues), the metrics and Arena. Which job is next:

1. **Priority.** \`urgent\` overtakes everything that waits. \`normal\` (0) comes next, then the numbers from 1 to 1000; \`bulk\` is 1000. Reprocessing and bulk retries
   use \`bulk\`. At the latest every tenth job is one of a lower priority, so that nothing waits for ever.
2. **Owner.** Within a priority, the owners (groups of API keys) share the work, in decoded megapixels: while one has 20,000 pictures waiting, a single
   picture of another waits for those that workers have taken, and one more.
3. **Arrival.** Pictures of one owner are processed in the order of their arrival.

A job that failed for the moment waits for its next attempt in the queue itself. Draining a queue empties its backlog too; pausing one leaves its backlog as it is.
[Decision 0070](../decisions/0070-a-backlog-in-front-of-the-queue.md) has the details.`,
		`## The job \`process\`

The job id is \`<picture>-<digest>\`. The digest covers the original's bytes and the recipe, so the same work is never queued twice. The data is small
and never contains image bytes:

${fieldsTable(processJobSchema)}

Only \`pictureId\` affects the work; the other fields are for people who inspect jobs, and the worker reads the rest from the manifest in storage. A job whose
data does not match the schema fails with \`invalid-job\`.`,
		`## The job \`fetch\`

The job id is \`<picture>-<digest>\`. The digest covers the URL. The data contains the URL without its query, which may include a signature; only
the manifest stores the full URL.

${fieldsTable(fetchJobSchema)}`,
		`## The job \`render\`

The job id is \`<picture>-<digest>\`. The digest identifies the variant, so requests for the same image share one job. A render that a client waits for
runs before background renders. \`${settings.renderQueue.variable}\` limits the number of waiting renders.

${fieldsTable(renderJobSchema)}`,
		`## The job \`deliver\`

The job id is \`<message>-<endpoint>\`. Only the storage contains the message and its target URL.

${fieldsTable(deliverJobSchema)}`,
		`## The job \`sweep\`\n\n${fieldsTable(sweepJobSchema)}`,
		`## Attempts, delays, retention

- A job is tried up to \`${settings.attempts.variable}\` times (${settings.attempts.default}), if its failure is transient ([errors](errors.md#classes)). The delay
  before the second attempt is \`${settings.retryDelay.variable}\` (${settings.retryDelay.default} ms); it doubles with every attempt, and half of each delay is random.
- The job of a killed worker restarts within about 15 seconds; this does not count as an attempt.
- A \`deliver\` job follows \`${settings.webhookSchedule.variable}\` instead ([attempts](webhooks.md#attempts)). A permanently failed delivery is kept as long as its message.
- Completed jobs are kept for ${duration(keepCompleted.age)}, at most ${keepCompleted.count.toLocaleString('en')}. Failed jobs are kept until they are retried or removed.
- Completed and failed renders are kept for ${duration(keepRenders.age)}, at most ${keepRenders.count.toLocaleString('en')}. The last ${keepSweeps.count} sweeps are kept.

## Job logs and progress

Each step is a line in the job's log, with its start, duration in milliseconds and bytes. Progress is reported as \`{ percent, step }\`.`,
	);
}

/** A duration in words, in the largest unit that divides it. */
function duration(seconds: number): string {
	const units = { day: 86_400, hour: 3_600, minute: 60, second: 1 };
	const [unit, length] = Object.entries(units).find(([, length]) => seconds % length === 0) as [string, number];
	const count = seconds / length;
	return count === 1 ? `${unit === 'hour' ? 'an' : 'a'} ${unit}` : `${count} ${unit}s`;
}
