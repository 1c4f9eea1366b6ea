import { mount } from "svelte";
import "../shared/theme.css";
import Playground from "./Playground.svelte";

mount(Playground, { target: document.getElementById("app")! });
