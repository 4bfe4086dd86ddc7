// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Four words, or seven emoji, for the same secret bytes (docs/encodings.md, "Words"): short enough to
// be read aloud, long enough that a man in the middle guesses them once in 2^32 tries.

const WORDS = `
  actor adult album amber anchor angle apple apron arch arena armor arrow atlas attic axis bacon
  badge baker bamboo banjo barrel basin beach berry bicycle blade bottle brick brush bubble bucket butter
  cabin cactus camel candle carpet castle cedar cellar cement chalk cheese chimney circle clock coffee comet
  copper coral cotton cousin crown crystal curtain daisy dancer decade denim desert diamond dinner doctor dolphin
  donkey dragon drum eagle easel echo editor elbow emerald engine envoy essay fabric falcon farmer feather
  fence fiddle finger flag flute forest fossil fox frame frost fungus galaxy garden gate giant glacier
  glove goat goose grape guitar hammer harbor hazel helmet herring hill hobby hockey honey horse hotel
  ice igloo index ink insect iron island ivory jacket jaguar jelly jewel judge jungle kayak kernel
  kettle kitchen knight koala label ladder lagoon lamp lantern lemon leopard lettuce lion lizard lobster locket
  lumber lunch magnet mango maple marble mask meadow melon mirror mosaic motor muffin museum napkin needle
  nephew nickel noodle north nose nurse oak oasis ocean octopus olive onion opera orange orbit orchid
  otter oven owl oyster paddle palace panda parrot pebble pencil pepper piano pigeon pillow planet plum
  potato puzzle pyramid quartz queen quilt rabbit radio raisin ranch raven ribbon ring river robot rope
  ruby rug salad scarf school seal shadow silver sister sky slipper snow sofa spider spoon statue
  sugar sunset swan table tailor teapot temple thumb ticket tiger timber tomato tower trumpet tulip tunnel
  turtle uncle uniform valley vase velvet village violin volcano voyage waffle wagon walnut water whale wheel
`.trim().split(/\s+/);

const EMOJI = `
  🐶 dog, 🐱 cat, 🦁 lion, 🐴 horse, 🐷 pig, 🐘 elephant, 🐰 rabbit, 🐼 panda
  🐔 chicken, 🐧 penguin, 🐢 turtle, 🐟 fish, 🐙 octopus, 🦋 butterfly, 🐌 snail, 🐝 bee
  🌳 tree, 🌵 cactus, 🌻 sunflower, 🍄 mushroom, 🍁 leaf, 🌙 moon, ⭐ star, 🔥 fire
  🌈 rainbow, ⛄ snowman, 🌊 wave, 🍎 apple, 🍌 banana, 🍓 strawberry, 🍋 lemon, 🍇 grapes
  🥕 carrot, 🌽 corn, 🍕 pizza, 🍞 bread, 🧀 cheese, 🎂 cake, ☕ cup, 🏠 house
  🚲 bicycle, 🚗 car, 🚂 train, ✈️ plane, 🚀 rocket, ⛵ boat, ⚓ anchor, 🎈 balloon
  ⏰ clock, 🔑 key, 🔔 bell, 📖 book, ✂️ scissors, 🔨 hammer, 💡 lamp, ☂️ umbrella
  👓 glasses, 🎩 hat, 👑 crown, 🎁 gift, 🎸 guitar, 🥁 drum, ⚽ ball, 🏆 trophy
`.trim().split(/\s*[,\n]\s*/).map((pair) => pair.split(' '));

/** Of the first four bytes, one word each. */
export const wordsOf = (bytes) => Array.from(bytes.subarray(0, 4), (byte) => WORDS[byte]);

/** [{sign, name}] of the first 42 bits, six bits each, the highest first. */
export function emojiOf(bytes) {
  let bits = 0n;
  for (const byte of bytes.subarray(0, 6)) bits = bits << 8n | BigInt(byte);
  return Array.from({ length: 7 }, (_, index) => {
    const [sign, name] = EMOJI[Number(bits >> BigInt(48 - 6 * (index + 1)) & 63n)];
    return { sign, name };
  });
}
