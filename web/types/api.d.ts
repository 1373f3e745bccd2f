import type { pictureView, summaryView } from '../../src/api/picture-view.ts';

/** What the API answers, as far as the page reads it. */
export type Picture = ReturnType<typeof pictureView>;
export type Variant = Picture['variants'][number];
/** As a list has it, or whole. */
export type ListedPicture = ReturnType<typeof summaryView> | Picture;
export type ListedVariant = ListedPicture['variants'][number];

/** A page of `GET /v1/pictures`. */
export interface PicturePage {
	readonly pictures: readonly ListedPicture[];
	readonly next?: string;
}

/** One of `GET /v1/queues`. */
export interface Queue {
	readonly name: string;
	readonly paused: boolean;
	readonly workers: number;
	readonly counts: Readonly<Record<'waiting' | 'prioritized' | 'active' | 'delayed' | 'completed' | 'failed', number>>;
	readonly links: { readonly arena: string };
}

/** `GET /v1/index` */
export interface Index {
	readonly complete: boolean;
	readonly rebuild?: { readonly pictures: number; readonly days: number; readonly daysDone: number };
}

/** `GET /v1/failures` */
export interface Failures {
	readonly total: number;
}

/** `GET /dashboard.json` */
export interface Settings {
	readonly needsKey: boolean;
	readonly maxBytes: number;
}
