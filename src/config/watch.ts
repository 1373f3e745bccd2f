import { choice, integer, optional, plainText, setting } from './kinds.ts';

/** The watched folder. */
export const watch = {
	title: 'Watched folder',
	settings: {
		watchFolder: optional(
			'PICPIPE_WATCH',
			plainText('a folder'),
			'Folder whose pictures `picpipe start` and `picpipe watch` import as they arrive. Sub-folders become tags.',
		),
		watchThen: setting(
			'PICPIPE_WATCH_THEN',
			choice('move', 'keep'),
			'move',
			'What happens to imported files: `move` puts them into `.picpipe/done/` of the folder, `keep` leaves them in place.',
		),
		watchRecipe: {
			...optional(
				'PICPIPE_WATCH_RECIPE',
				plainText('the name of a recipe'),
				'Recipe of pictures from the watched folder.',
			),
			defaultNote: 'the default recipe',
		},
		watchDuplicates: setting(
			'PICPIPE_WATCH_DUPLICATES',
			choice('accept', 'refuse', 'link', 'dedupe'),
			'accept',
			'What happens to files whose content is stored already, as for uploads. Refused files go to `.picpipe/refused/`.',
		),
		watchSeconds: setting(
			'PICPIPE_WATCH_SECONDS',
			integer(1, 3_600, 'seconds'),
			2,
			'How often the watched folder is scanned.',
		),
		watchSettleSeconds: setting(
			'PICPIPE_WATCH_SETTLE_SECONDS',
			integer(1, 3_600, 'seconds'),
			2,
			'How long size and modification time of a file must stay unchanged before it is imported. Raise it for slow writers.',
		),
		watchConcurrency: setting(
			'PICPIPE_WATCH_CONCURRENCY',
			integer(1, 64, 'files'),
			2,
			'Files that are imported at the same time.',
		),
	},
} as const;
