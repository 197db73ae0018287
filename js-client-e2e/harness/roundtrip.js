/** Publishes a payload in a room. @returns what its sender and another member received */
export async function roundTrip(world, t, payload) {
  const roomId = world.name('room');
  const alice = await world.user(t);
  const bob = await world.user(t);
  for (const member of [alice, bob]) await member.ask('join-room', roomId);
  await alice.ask('publish-update', { roomId, type: 'X', payload });
  return Promise.all([alice, bob].map(async (member) => (await member.next('update')).payload));
}
