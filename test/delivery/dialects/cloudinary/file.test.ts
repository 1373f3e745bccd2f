import { describe, expect, it } from 'vitest';
import { parseCloudinary } from '../../../../src/delivery/dialects/cloudinary.ts';
import type { SourceFacts } from '../../../../src/delivery/dialects/image-request.ts';
import { thrownBy } from '../../../helpers/thrown.ts';
import { type Asked, id, plainOptions, planOf } from './plans.ts';

const steps = (transformation: string, asked?: Asked) => planOf(transformation, asked).steps;

describe('the output file', () => {
	const encodings = (transformation: string, asked?: Asked) => {
		const { encode } = planOf(transformation, asked);
		return (
			encode && {
				jpeg: encode('jpeg'),
				png: encode('png'),
				webp: encode('webp'),
				avif: encode('avif'),
				gif: encode('gif'),
			}
		);
	};
	const all = { jpeg: {}, png: {}, webp: {}, avif: {}, gif: {} };

	it.each<[string, string, string]>([
		['', '', 'source'],
		['', '.jpg', 'jpeg'],
		['', '.JPEG', 'jpeg'],
		['', '.tif', 'tiff'],
		['f_auto', '.jpg', 'auto'],
		['f_auto:image', '', 'auto'],
		['f_avif', '.jpg', 'avif'],
		['f_png/f_webp', '', 'webp'],
	])('%s and %s is %s', (transformation, extension, format) => {
		expect(planOf(transformation, { extension })).toEqual({ steps: [], format });
	});

	it.each<[string, object | undefined]>([
		['q_auto', undefined],
		['q_auto:good', undefined],
		['q_auto:best', { ...all, jpeg: { quality: 90 }, webp: { quality: 90 }, avif: { quality: 65 } }],
		['q_auto:eco', { ...all, jpeg: { quality: 70 }, webp: { quality: 70 }, avif: { quality: 40 } }],
		['q_auto:low', { ...all, jpeg: { quality: 55 }, webp: { quality: 55 }, avif: { quality: 30 } }],
		['q_33', { ...all, jpeg: { quality: 33 }, webp: { quality: 33 }, avif: { quality: 33 } }],
		['q_33/q_auto', undefined],
		[
			'q_90:444',
			{
				...all,
				jpeg: { quality: 90, chromaSubsampling: '4:4:4' },
				webp: { quality: 90 },
				avif: { quality: 90, chromaSubsampling: '4:4:4' },
			},
		],
		['q_auto:420', undefined],
		['fl_progressive', { ...all, jpeg: { progressive: true }, png: { progressive: true } }],
		['fl_progressive:none', undefined],
		[
			'fl_lossy,q_60',
			{
				...all,
				jpeg: { quality: 60 },
				webp: { quality: 60 },
				avif: { quality: 60 },
				png: { palette: true, quality: 60 },
			},
		],
		['f_png,fl_png8', { ...all, png: { palette: true } }],
	])('%s', (transformation, expected) => {
		expect(encodings(transformation)).toEqual(expected);
	});

	it('keeps the metadata that flags request', () => {
		expect(planOf('fl_keep_iptc').metadata).toBe('keep');
		expect(planOf('fl_keep_attribution').metadata).toBe('copyright');
		expect(planOf('fl_keep_iptc/fl_force_strip').metadata).toBeUndefined();
	});

	it('has the requested file name', () => {
		const image = (flag: string) => parseCloudinary(`/demo/image/upload/${flag}/${id}.png`, plainOptions).image;
		expect(image('fl_attachment')).toMatchObject({ isAttachment: true, filename: id });
		expect(image('w_100,fl_attachment:pretty_flower')).toMatchObject({
			isAttachment: true,
			filename: 'pretty_flower',
		});
		expect(image('w_100')).not.toHaveProperty('isAttachment');
		expect(image('w_100')).not.toHaveProperty('filename');
	});

	it('is made from a page of unknown size', async () => {
		const facts: Partial<SourceFacts> = { frames: 3, format: 'tiff' };
		expect(planOf('pg_1', { facts })).toEqual({ steps: [], format: 'source' });
		expect(planOf('pg_2,c_fit,w_50,h_50', { facts })).toEqual({
			page: 2,
			steps: [{ resize: { width: 50, height: 50, fit: 'inside' } }],
			format: 'source',
		});
		expect(await thrownBy(() => planOf('pg_2,w_0.5', { facts }))).toMatchObject({ code: 'option-unsupported' });
		expect(await thrownBy(() => planOf('pg_4', { facts }))).toMatchObject({ code: 'invalid-delivery-url' });
		expect(await thrownBy(() => planOf('pg_2'))).toMatchObject({ code: 'invalid-delivery-url' });
	});

	it('is a frame of an animation, or all of it', async () => {
		const facts: Partial<SourceFacts> = { frames: 3, format: 'gif' };
		expect(encodings('', { facts })).toBeUndefined();
		expect(encodings('pg_1', { facts })).toEqual({ ...all, webp: { animated: false }, gif: { animated: false } });
		expect(encodings('pg_1')).toBeUndefined();
		expect(planOf('pg_2,c_scale,w_0.5', { facts })).toHaveProperty('page', 2);
		expect(encodings('pg_2', { facts })).toEqual(encodings('pg_1', { facts }));
		expect(await thrownBy(() => planOf('pg_4', { facts }))).toMatchObject({ code: 'invalid-delivery-url' });
		expect(await thrownBy(() => planOf('pg_2', { facts: { frames: 3, format: 'avif' } }))).toMatchObject({
			code: 'option-unsupported',
		});
	});
});

describe('named transformations', () => {
	const options = {
		presets: new Map([
			['card', 'c_fill,w_100,h_100/e_grayscale'],
			['small.card', 'w_10'],
			['both', 't_card/q_auto:low'],
			['text', 'l_text:Arial_40:a%252Cb'],
			['one', 't_two'],
			['two', 'w_5/t_one'],
			['broken', 'w_ten'],
			...Array.from({ length: 30 }, (_, at): [string, string] => [`n${at}`, `t_n${at + 1}/t_n${at + 1}`]),
			['n30', ''],
		]),
	};
	const card = [{ resize: { width: 100, height: 100 } }, { grayscale: {} }];

	it.each<[string, readonly object[]]>([
		['t_card', card],
		['t_both', card],
		['t_small.card', [{ resize: { width: 10 } }]],
		[
			'c_crop,w_200/t_card.text',
			[
				{ crop: { width: 200 } },
				...card,
				{ text: { text: 'a,b', font: 'Arial', size: 40, colour: '#000000', position: 'centre' } },
			],
		],
	])('%s', (transformation, expected) => {
		expect(steps(transformation, { options })).toEqual(expected);
	});

	it.each<[string, RegExp]>([
		['t_nothing', /^Expected the name of a preset for t_ but received "nothing"\.$/],
		['t_one', /^Expected presets that do not name each other in a circle for t_ but received "one → two → one"\.$/],
		['t_broken', /for w_ but received "ten"/],
		['t_n0', /^Expected at most 40 presets for t_/],
	])('%s is refused', async (transformation, message) => {
		const error = await thrownBy(() => steps(transformation, { options }));
		expect(error).toMatchObject({ code: 'invalid-delivery-url' });
		expect(error.message).toMatch(message);
	});

	it('need a component of their own', async () => {
		expect(await thrownBy(() => steps('w_5,t_card', { options }))).toMatchObject({ code: 'option-unsupported' });
		expect(await thrownBy(() => steps('t_card,w_5', { options }))).toMatchObject({ code: 'option-unsupported' });
	});

	it('can be the only options allowed in a URL', async () => {
		const only = { ...options, presetsOnly: true };
		expect(steps('t_both', { options: only, extension: '.webp' })).toEqual(card);
		expect(steps('', { options: only })).toEqual([]);
		const error = await thrownBy(() => steps('t_card/w_5', { options: only }));
		expect(error.message).toBe('Expected t_ and the name of a preset for a component but received "w_5".');
	});
});
