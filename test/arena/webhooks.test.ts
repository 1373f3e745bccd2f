import { describe, expect, it, onTestFinished } from 'vitest';
import { arenaQueuePath, deliverJob, deliverJobId } from '../../src/queue/jobs.ts';
import { openQueues } from '../../src/queue/queues.ts';
import { connected } from '../helpers/connection.ts';
import { openTestArena } from './fixture.ts';

describe('Arena and webhooks', () => {
	it('shows the event of a webhook, and its job', async () => {
		const arena = await openTestArena();
		onTestFinished(() => arena.close());
		const queues = openQueues(await connected(), { prefix: arena.prefix, attempts: 5, retryDelay: 50 });
		onTestFinished(() => queues.close());
		const told = { endpoint: 'setting', type: 'picture.ready', pictureId: 'pic_of_webhooks', attemptsBefore: 0 };
		const job = deliverJob({ ...told, messageId: 'msg_0123456789abcdef0123456789abcdef' });
		await queues.deliveries.offer({ job, attempts: 10, keepSeconds: 60, due: Date.now() });
		const page = async (path: string) => {
			const response = await fetch(`${arena.address}${path}`);
			expect(response.status).toBe(200);
			return response.text();
		};
		expect(await page(`${arenaQueuePath('webhooks')}/waiting`)).toContain('deliver picture.ready of pic_of_webhooks');
		expect(await page(`${arenaQueuePath('webhooks')}/${deliverJobId(job)}`)).toContain('pic_of_webhooks');
	});
});
