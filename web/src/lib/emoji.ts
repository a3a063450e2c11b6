// A small set, by what people reach for. The system's own keyboard has them all.

export const QUICK = ['👍', '❤️', '😂', '😮', '😢', '🙏'] as const

export const SETS = [
  { key: 'faces', emoji: '😀 😃 😄 😁 😆 😅 🤣 😂 🙂 😉 😊 😇 🥰 😍 😘 😋 😛 😜 🤪 🤔 🤨 😐 😏 🙄 😬 😌 😔 😴 😷 🤒 🥵 🥶 😵 🤯 🥳 😎 🤓 😕 😟 😮 😳 🥺 😨 😢 😭 😱 😤 😡 🤬 😈 💀 👻 🤖 🤡' },
  { key: 'people', emoji: '👋 ✋ 👌 ✌️ 🤞 🤟 🤘 🤙 👈 👉 👆 👇 👍 👎 ✊ 👊 👏 🙌 🫶 🤝 🙏 💪 👀 🧠 🙈 🙉 🙊 🤷 🤦 🙋 💁 🙅 🙆 👶 👧 👦 👩 👨 👵 👴 👮 🧑‍💻 🧑‍🍳 🧑‍🎨 💃 🕺' },
  { key: 'hearts', emoji: '❤️ 🧡 💛 💚 💙 💜 🖤 🤍 🤎 💔 💕 💞 💗 💖 💘 💯 💥 💫 ✨ ⭐ 🌟 🔥 💤 ✅ ❌ ❓ ❗ ➕ 🔔 🎵' },
  { key: 'nature', emoji: '🐶 🐱 🐭 🐰 🦊 🐻 🐼 🐨 🦁 🐮 🐷 🐸 🐔 🐧 🐦 🦆 🦉 🐝 🦋 🐢 🐟 🐬 🐳 🌱 🌳 🌷 🌹 🌻 🍀 🍁 ☀️ 🌤️ ☁️ 🌧️ ⛈️ ❄️ 🌈 🌊 🌙' },
  { key: 'food', emoji: '🍎 🍌 🍓 🍒 🍋 🍉 🍇 🥑 🥕 🌽 🍞 🧀 🥚 🍔 🍟 🍕 🌮 🍜 🍣 🍦 🎂 🍰 🍫 🍿 ☕ 🍵 🍺 🍷 🥂 🍽️' },
  { key: 'things', emoji: '⚽ 🏀 🎾 🏊 🚴 🏆 🎮 🎲 🎸 🎬 🎨 📚 ✏️ 💻 📱 📷 💡 🔑 🔒 📦 📅 📌 💰 🎁 🎉 🎈 🚗 🚌 🚆 ✈️ 🚲 ⛵ 🏠 🏖️ ⛰️ 🗺️ ⏰' },
] as const
