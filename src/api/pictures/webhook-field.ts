import { PicpipeError } from '../../errors.ts';
import { checkUrl } from '../../http/guard.ts';
import type { ApiContext } from '../context.ts';

/**
 * The address that an upload wants to be told of its picture, as it will be asked. It is signed with the secrets of the settings, because whoever
 * receives it has to be able to tell that it comes from here; without any it is refused.
 *
 * @throws PicpipeError `webhook-unsigned`, and what `checkUrl` throws
 */
export function checkWebhook({ webhooks }: ApiContext, url: string | undefined): string | undefined {
	if (url === undefined) return undefined;
	const { secrets, rules } = webhooks.settings;
	if (secrets.length === 0) {
		throw new PicpipeError(
			'webhook-unsigned',
			'Expected PICPIPE_WEBHOOK_SECRETS to be set for an upload with a webhook but there are none.',
		);
	}
	return checkUrl(url, rules).href;
}
