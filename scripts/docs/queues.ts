import { settings } from '../../src/config/index.ts';
import {
	deliverJobSchema,
	fetchJobSchema,
	processJobSchema,
	type QueueName,
	queueNames,
	sweepJobSchema,
} from '../../src/queue/jobs.ts';
import { keepCompleted } from '../../src/queue/queues.ts';
import { code, fieldsTable, page, table } from './markdown.ts';

/** What each queue is for. */
const purposes: Readonly<Record<QueueName, string>> = {
	pictures: 'One job `process` for each picture: makes all variants of its recipe.',
	renders: 'Variants made on demand. Not used yet.',
	fetches: 'One job `fetch` for each picture that came as an address: fetches it and hands it on to `pictures`.',
	webhooks: 'One job `deliver` for each message and endpoint: [tells](webhooks.md) what happened.',
	upkeep: 'One job `sweep` at the start and then on a schedule: queues accepted pictures that no job would finish.',
};

export function queuesPage(): string {
	const days = keepCompleted.age / 86_400;
	return page(
		'Queues and jobs',
		'src/queue/jobs.ts and src/queue/queues.ts',
		`The queues are BullMQ's, in Redis, under keys that begin with \`PICPIPE_REDIS_PREFIX\`. Arena shows them, and the
[API](http.md#get-v1queues) pauses, drains and cleans them. Losing them loses no picture: storage is the truth, and the sweep fills them again.`,
		table(
			['Queue', 'For'],
			queueNames.map((name) => [code(name), purposes[name]]),
		),
		`## The job \`process\`

Its id is \`<picture>-<digest>\`, the digest made of the original's bytes and the recipe, so the same work is never queued twice. Its data is small
and never holds a picture:

${fieldsTable(processJobSchema)}

Only \`pictureId\` decides what is done; everything else is for the people who watch. The manifest in storage says the rest. Data that is
not of this shape ends the job as \`invalid-job\`.`,
		`## The job \`fetch\`

Its id is \`<picture>-<digest>\`, the digest made of the address. The data has the address without its query, which may hold a signature; the
whole stands in the manifest alone.

${fieldsTable(fetchJobSchema)}`,
		`## The job \`deliver\`

Its id is \`<message>-<endpoint>\`. The message, and where it goes, stand in the storage alone.

${fieldsTable(deliverJobSchema)}`,
		`## The job \`sweep\`\n\n${fieldsTable(sweepJobSchema)}`,
		`## Attempts, delays, retention

- A job is tried up to \`${settings.attempts.variable}\` times (${settings.attempts.default}), if its failure may pass ([errors](errors.md#classes)). The delay
  before the second attempt is \`${settings.retryDelay.variable}\` (${settings.retryDelay.default} ms); it doubles with every further one, and half of each is left to chance.
- The job of a killed worker begins again within about 15 seconds, and that costs no attempt.
- A job \`deliver\` follows \`${settings.webhookSchedule.variable}\` instead ([attempts](webhooks.md#attempts)). One that failed for good is kept for as long as its message.
- Completed jobs are kept for ${days === 1 ? 'a day' : `${days} days`}, at most ${keepCompleted.count.toLocaleString('en')}; failed ones until someone acts. Of sweeps the last hundred are kept.

## What a job reports

Each step with its start, milliseconds and bytes, as lines of the job's own log; and its progress as \`{ percent, step }\`.`,
	);
}
