import t from 'tap';
import { maskedSettings } from '../../../src/config/masked-settings.ts';

t.test('what may be secret is masked, wherever it is; the rest stays', async (t) => {
  const settings = {
    nodeName: 'node-1',
    maxPods: 110,
    allowedUnsafeSysctls: ['net.core.somaxconn'],
    registries: [
      { server: 'https://user:pass@registry.example/v2', password: 'p', identityToken: 't', authKey: 'k', empty: '' },
    ],
    clientSecret: ['a', 'b'],
  };
  t.same(maskedSettings(settings), {
    ...settings,
    registries: [
      {
        server: 'https://<masked>@registry.example/v2',
        password: '<masked>',
        identityToken: '<masked>',
        authKey: '<masked>',
        empty: '',
      },
    ],
    clientSecret: ['<masked>', '<masked>'],
  });
});
