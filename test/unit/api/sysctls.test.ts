import t from 'tap';
import {
  dottedSysctl,
  isPlainSysctlValue,
  isSafeSysctl,
  matchesSysctl,
  sysctlPatternProblem,
} from '../../../src/api/sysctls.ts';

t.test('a sysctl may be written with slashes', async (t) => {
  t.equal(dottedSysctl('net/ipv4/tcp_syncookies'), 'net.ipv4.tcp_syncookies');
  t.equal(dottedSysctl('net.ipv4.conf.eno2/100.forwarding'), 'net.ipv4.conf.eno2/100.forwarding');
  t.equal(dottedSysctl('net/ipv4/conf/eno2.100/forwarding'), 'net.ipv4.conf.eno2/100.forwarding');
});

t.test('what is safe', async (t) => {
  t.ok(isSafeSysctl('net/ipv4/tcp_wmem', '4.15.0'));
  t.notOk(isSafeSysctl('net.ipv4.tcp_wmem', '4.9.0'));
  t.notOk(isSafeSysctl('constructor', '6.1.0'));
  t.notOk(isSafeSysctl('net.ipv4.ip_forward', '6.1.0'));
});

t.test('patterns', async (t) => {
  t.ok(matchesSysctl('net/core/somaxconn', ['net.core.*']));
  t.notOk(matchesSysctl('net.core', ['net.core.*']));
  t.notOk(matchesSysctl('net.core.somaxconn', ['net.core.somax']));
  for (const fine of ['kernel.msg*', 'kernel.shm*', 'net.*', 'fs.mqueue.*', 'net/core/somaxconn']) {
    t.equal(sysctlPatternProblem(fine), undefined, fine);
  }
  for (const wrong of ['', '*', 'kernel.*', 'vm.swappiness', 'net.*.x', '.net', 'NET.x', 'kernel.core_pattern']) {
    t.type(sysctlPatternProblem(wrong), 'string', wrong);
  }
});

t.test('values', async (t) => {
  for (const fine of ['1', '32768 60999', '4096\t131072', '80,443,1000-2000', 'x.example', '']) {
    t.ok(isPlainSysctlValue(fine), fine);
  }
  for (const wrong of ['1+kernel.core_pattern=|/x', '1\n2', '1=2', '1\0', '|/x']) t.notOk(isPlainSysctlValue(wrong));
});
