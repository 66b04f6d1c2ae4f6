# The state of the simulated machine: one JSON file, read and written anew by
# each stand-in, so that modules and the prelude see the same world.
#
# These stand-ins fail in ways that no simulated farm does, as a store that
# clings to what is removed, and need nothing beside PowerShell, as on the Windows
# Server of windows.yml. How the products' cmdlets bind and ask, and what a whole
# farm does, is tested by the stand-ins of the simulated farm, which act on its
# own state.

function Get-World {
    $text = [System.IO.File]::ReadAllText($env:FARMTRUST_WORLD)
    return ConvertFrom-Json -InputObject $text
}

function Set-World {
    param([object] $World)
    [System.IO.File]::WriteAllText($env:FARMTRUST_WORLD, (ConvertTo-Json -InputObject $World -Depth 20))
}

# Throws an error as a product does: with its own identity and exception.
function Stop-Product {
    param([string] $Id, [System.Exception] $Exception)
    throw (New-Object System.Management.Automation.ErrorRecord $Exception, $Id, 'InvalidData', $null)
}
