import { writeFileSync } from 'node:fs';
import t from 'tap';
import { startServer } from '../server/server.ts';
import { kubectl as runKubectl } from '../support/kubectl.ts';

for (const suite of ['sid', 'trixie'] as const) {
  t.test(`kubectl of ${suite}: roles are made, given, asked for and obeyed`, async (t) => {
    const { config, directory } = await startServer(t);
    const run = (args: string[]) => runKubectl(config.tls.kubeconfigPath, args, { suite });
    const ok = async (args: string[]) => {
      const { exitCode, stdout, stderr } = await run(args);
      t.equal(exitCode, 0, `kubectl ${args.join(' ')}: ${stderr}`);
      return stdout;
    };
    await ok(['create', 'role', 'reader', '--verb=get,list,watch', '--resource=pods,pods/log']);
    await ok(['create', 'rolebinding', 'readers', '--role=reader', '--user=jane', '--serviceaccount=default:robot']);
    await ok(['create', 'clusterrole', 'metrics', '--verb=get', '--non-resource-url=/metrics']);
    await ok(['create', 'clusterrolebinding', 'scrapers', '--clusterrole=metrics', '--group=scrapers']);
    t.match(await ok(['get', 'rolebindings', '-o', 'wide']), /readers +Role\/reader +\S+ +jane +default\/robot/);
    t.match(await ok(['describe', 'role', 'reader']), /pods\/log +\[\] +\[\] +\[get list watch\]/);

    const robot = '--as=system:serviceaccount:default:robot';
    t.equal(await ok(['get', 'pods', '--as=jane', '-o', 'name']), '');
    t.equal(await ok(['get', 'pods', robot, '-o', 'name']), '');
    t.equal(await ok(['auth', 'can-i', 'watch', 'pods', '--as=jane']), 'yes');
    t.equal((await run(['auth', 'can-i', 'create', 'pods/exec', '--as=jane'])).stdout, 'no');
    t.equal(await ok(['auth', 'can-i', 'get', '/metrics', '--as=x', '--as-group=scrapers']), 'yes');
    t.match(await ok(['auth', 'can-i', '--list', '--as=jane']), /pods\/log +\[\] +\[\] +\[get list watch\]/);
    t.match((await run(['get', 'secrets', '--as=jane'])).stderr, /User "jane" cannot list resource "secrets"/);
    t.match((await run(['get', 'pods', '-A', '--as=jane'])).stderr, /at the cluster scope/);
    t.match((await run(['delete', 'pod', 'x', '--as=jane'])).stderr, /User "jane" cannot delete resource "pods"/);

    const file = `${directory}/rbac.yaml`;
    const rule = (verb: string) =>
      `apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: reader, namespace: default}\nrules: [{verbs: [${verb}], apiGroups: [""], resources: [configmaps]}]\n`;
    writeFileSync(file, rule('get'));
    await ok(['auth', 'reconcile', '-f', file]);
    t.match(await ok(['describe', 'role', 'reader']), /pods\/log[\s\S]*configmaps|configmaps[\s\S]*pods\/log/);
    writeFileSync(file, rule('delete'));
    t.match((await run(['apply', '-f', file, '--as=jane'])).stderr, /forbidden/);
    const token = await ok(['create', 'token', 'default']);
    t.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  });
}
